//! Where a node stems from: the layer of the declaration, the place in the user's text.
//!
//! Sites stand beside the nodes, not in their names: a pass that copies a node hands its site on, and
//! nothing takes a name apart.

use crate::diagnostic::Span;

/// A layer of a declaration, by its place in the table of a graph; see
/// [`Graph::layer_path`](crate::Graph::layer_path). A body's nodes name layers of the graph around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(pub(crate) u32);

/// Where a node stems from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The place in the user's text.
    pub span: Option<Span>,
    /// The layer.
    pub layer: Option<LayerId>,
    /// Whether the node is a weight of the layer: a parameter that became a constant.
    pub weight: bool,
    /// Whether the node must be computed in f32, whatever the rest is computed in.
    pub exact: bool,
}

impl Site {
    /// Nowhere in particular.
    pub const NONE: Site = Site { span: None, layer: None, weight: false, exact: false };

    /// This site, or another where nothing is known.
    pub fn or(self, other: Site) -> Site {
        if self == Site::NONE { other } else { self }
    }

    /// A layer, and its place in the text.
    pub fn of(layer: LayerId, span: Span) -> Site {
        Site { span: Some(span), layer: Some(layer), ..Site::NONE }
    }

    /// The same layer, of a weight.
    pub fn of_weight(layer: Option<LayerId>) -> Site {
        Site { layer, weight: true, ..Site::NONE }
    }
}

impl From<Option<Span>> for Site {
    fn from(span: Option<Span>) -> Site {
        Site { span, ..Site::NONE }
    }
}
