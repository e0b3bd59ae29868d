//! No layer at all.

pixelrnn::model! {
    pub Wrong { h: usize = 2 }

    image 8 x 8, colours 1, levels 2;


}

fn main() {}
