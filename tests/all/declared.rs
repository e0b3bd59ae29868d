//! Models with features that no model of the zoo has: learned initial states, skip connections, plain blocks,
//! wide recurrent kernels.

use pixelrnn::prelude::*;

use crate::common::settings;

pixelrnn::model! {
    /// Row LSTM with a kernel of five, learned initial states and skip connections.
    pub LearnedRow { h: usize = 4, layers: usize = 2 }

    image 5 x 4, colours 3, levels 5;

    stem: masked_conv(5 x 3, A, 2 * h);
    body: collect {
        repeat layers {
            residual {
                lstm: row_lstm(h, kernel = 5, initial = learned);
                up: masked_conv(1 x 1, B, 2 * h);
            }
            skip(2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 7); relu; logits;
}

pixelrnn::model! {
    /// Diagonal BiLSTM with learned initial states and skip connections.
    pub LearnedDiagonal { h: usize = 4, layers: usize = 2 }

    image 5 x 4, colours 3, levels 5;

    stem: masked_conv(3 x 5, A, 2 * h);
    body: collect {
        repeat layers {
            residual {
                lstm: diagonal_bilstm(h, initial = learned);
                up: masked_conv(1 x 1, B, 2 * h);
            }
            skip(2 * h);
        }
    }
    head: relu; hidden: masked_conv(1 x 1, B, 7); relu; logits;
}

pixelrnn::model! {
    /// All layers one after the other, widths that no number of colors divides.
    pub Mixed { h: usize = 5 }

    image 4 x 5, colours 2, levels 3;

    stem: masked_conv(3 x 3, A, 2 * h + 1);
    first: block {
        tanh; row: row_lstm(h);
        sigmoid; diagonal: diagonal_bilstm(h + 2, initial = learned);
    }
    wide: masked_conv(5 x 7, B, 7);
    tanh; logits;
}

/// One of the models above.
pub fn declared(name: &str, list: &[(&str, usize)]) -> Declaration {
    let list = settings(list);
    let declaration = match name {
        "row" => LearnedRow::default().declare_with(&list),
        "diagonal" => LearnedDiagonal::default().declare_with(&list),
        _ => Mixed::default().declare_with(&list),
    };
    declaration.unwrap_or_else(|e| panic!("{name}: {e}"))
}
