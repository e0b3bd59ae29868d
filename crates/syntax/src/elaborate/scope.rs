//! What names stand for.

use std::collections::BTreeMap;

use super::build::Flow;

/// What a name or an argument stands for.
#[derive(Clone, Debug)]
pub(crate) enum Thing {
    Number(usize),
    /// Height and width.
    Kernel([usize; 2]),
    /// A word of some layer's own, such as `A`.
    Word(String),
    Map(Flow),
}

/// Names of one block.
#[derive(Debug, Default)]
struct Frame {
    names: BTreeMap<String, Thing>,
    /// Whether names of the blocks around are not seen: the body of a block of the user's own.
    closed: bool,
}

/// The names that are known at a place: hyper-parameters, and the values of the blocks around.
#[derive(Debug)]
pub(crate) struct Scope<'m> {
    hyper: Vec<(&'m str, usize)>,
    frames: Vec<Frame>,
}

impl<'m> Scope<'m> {
    pub fn new(hyper: Vec<(&'m str, usize)>) -> Scope<'m> {
        Scope { hyper, frames: vec![Frame::default()] }
    }

    /// Hyper-parameters in the order of the declaration.
    pub fn hyper(&self) -> &[(&'m str, usize)] {
        &self.hyper
    }

    pub fn open(&mut self, closed: bool) {
        self.frames.push(Frame { closed, ..Frame::default() });
    }

    pub fn close(&mut self) {
        self.frames.pop();
    }

    pub fn bind(&mut self, name: &str, thing: Thing) {
        if let Some(frame) = self.frames.last_mut() {
            frame.names.insert(name.to_string(), thing);
        }
    }

    /// The frames that are seen from here, the innermost first.
    fn seen(&self) -> impl Iterator<Item = &Frame> {
        let mut closed = false;
        self.frames.iter().rev().take_while(move |frame| {
            let seen = !closed;
            closed |= frame.closed;
            seen
        })
    }

    /// What a name stands for, hyper-parameters aside.
    pub fn find(&self, name: &str) -> Option<&Thing> {
        self.seen().find_map(|frame| frame.names.get(name))
    }

    /// The names of maps that are known here.
    pub fn maps(&self) -> Vec<&str> {
        let names = self.seen().flat_map(|frame| &frame.names);
        let mut maps: Vec<&str> = names
            .filter(|(_, thing)| matches!(thing, Thing::Map(_)))
            .map(|(name, _)| name.as_str())
            .collect();
        maps.sort_unstable();
        maps.dedup();
        maps
    }

    /// All numbers that are known here; where two have one name, the first counts.
    pub fn numbers(&self) -> Vec<(&str, usize)> {
        let mut all: Vec<(&str, usize)> = Vec::new();
        for (name, thing) in self.seen().flat_map(|frame| &frame.names) {
            if let Thing::Number(n) = thing {
                all.push((name, *n));
            }
        }
        all.extend(self.hyper.iter().copied());
        all
    }
}
