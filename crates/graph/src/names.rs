//! Enumerations whose values have names, such as those on the command line: parsing, printing, and the error
//! for unknown names.

/// An unknown name. The error of [`str::parse`] for types of [`named!`](crate::named).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} `{name}`: expected one of {}", known.join(", "))]
#[non_exhaustive]
pub struct UnknownName {
    /// The kind of name, such as `engine`.
    pub kind: &'static str,
    /// The name that was given.
    pub name: String,
    /// The known names.
    pub known: Vec<&'static str>,
}

impl UnknownName {
    /// The value with this name among all values of a kind.
    ///
    /// # Errors
    /// No value has this name.
    pub fn find<T: Copy>(
        kind: &'static str,
        name: &str,
        all: &[T],
        name_of: impl Fn(T) -> &'static str,
    ) -> Result<T, UnknownName> {
        all.iter().copied().find(|&value| name_of(value) == name).ok_or_else(|| UnknownName {
            kind,
            name: name.to_string(),
            known: all.iter().map(|&value| name_of(value)).collect(),
        })
    }
}

/// Implements `Display` and `FromStr` for a type with the constant `ALL` and the method `name`.
#[doc(hidden)]
#[macro_export]
macro_rules! named {
    ($type:ty, $kind:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::UnknownName::find($kind, text, &Self::ALL, Self::name)
            }
        }
    };
}
