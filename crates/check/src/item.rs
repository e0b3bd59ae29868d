//! [`Item`]: what a name in a graph stands for: a tensor, a sequence of tensors, or an optional.

use crate::error::Problem;
use crate::tensor::Tensor;

#[derive(Clone, Debug)]
pub(crate) enum Item {
    Tensor(Tensor),
    Sequence(Vec<Tensor>),
    /// An ONNX optional. Whether it is empty is always known.
    Optional(Option<Box<Item>>),
}

impl Item {
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Item::Tensor(t) => Some(t),
            Item::Sequence(_) => None,
            Item::Optional(inner) => inner.as_ref().and_then(|i| i.tensor()),
        }
    }

    pub fn sequence(&self) -> Result<&[Tensor], Problem> {
        match self {
            Item::Sequence(list) => Ok(list),
            Item::Optional(Some(inner)) => inner.sequence(),
            _ => Err(Problem::Form("expects a sequence")),
        }
    }

    /// The tensors inside.
    pub fn tensors(&self) -> &[Tensor] {
        match self {
            Item::Tensor(t) => std::slice::from_ref(t),
            Item::Sequence(list) => list,
            Item::Optional(Some(inner)) => inner.tensors(),
            Item::Optional(None) => &[],
        }
    }
}

impl From<Tensor> for Item {
    fn from(t: Tensor) -> Item {
        Item::Tensor(t)
    }
}
