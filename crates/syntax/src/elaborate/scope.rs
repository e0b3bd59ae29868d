//! Scopes: what names refer to.

use std::collections::BTreeMap;

use super::build::Flow;

/// What a name or an argument refers to.
#[derive(Clone, Debug)]
pub(crate) enum Thing {
    Number(usize),
    /// Height and width.
    Kernel([usize; 2]),
    /// A keyword of a layer, such as `A`.
    Word(String),
    Map(Flow),
}

/// The names of one block.
#[derive(Debug, Default)]
struct Frame {
    names: BTreeMap<String, Thing>,
    /// Whether names of the enclosing blocks are hidden, as in the body of a user-defined block.
    closed: bool,
}

/// The names that are visible at one place: hyper-parameters, and the values of the enclosing blocks.
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

    /// The frames that are visible here, innermost first.
    fn seen(&self) -> impl Iterator<Item = &Frame> {
        let mut closed = false;
        self.frames.iter().rev().take_while(move |frame| {
            let seen = !closed;
            closed |= frame.closed;
            seen
        })
    }

    /// What a name refers to, except for hyper-parameters.
    pub fn find(&self, name: &str) -> Option<&Thing> {
        self.seen().find_map(|frame| frame.names.get(name))
    }

    /// The names of the maps that are visible here.
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

    /// All numbers that are visible here. An inner name hides an outer one.
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
