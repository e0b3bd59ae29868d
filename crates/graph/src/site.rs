//! Where a node comes from: the layer of the declaration, and the position in the user's text.
//!
//! Sites are stored separately from the names of nodes: a pass that copies a node passes its site on, and no
//! code parses names.

use crate::diagnostic::Span;

/// A layer of a declaration, by its index in the table of a graph; see
/// [`Graph::layer_path`](crate::Graph::layer_path). Nodes of a body refer to the table of the enclosing
/// graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub(crate) u32);

/// Where a node comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The position in the user's text.
    pub span: Option<Span>,
    /// The layer.
    pub layer: Option<LayerId>,
    /// Whether the node is a weight of the layer, that is, a parameter that became a constant.
    pub weight: bool,
    /// Whether the node must be computed in f32, whatever the precision of the model.
    pub exact: bool,
}

impl Site {
    /// An unknown site.
    pub const NONE: Site = Site { span: None, layer: None, weight: false, exact: false };

    /// This site, or `other` if this one is unknown.
    pub fn or(self, other: Site) -> Site {
        if self == Site::NONE { other } else { self }
    }

    /// The site of a layer at a position in the text.
    pub fn of(layer: LayerId, span: Span) -> Site {
        Site { span: Some(span), layer: Some(layer), ..Site::NONE }
    }

    /// The site of a weight of a layer.
    pub fn of_weight(layer: Option<LayerId>) -> Site {
        Site { layer, weight: true, ..Site::NONE }
    }
}

impl From<Option<Span>> for Site {
    fn from(span: Option<Span>) -> Site {
        Site { span, ..Site::NONE }
    }
}
