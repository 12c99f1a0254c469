//! The macro that declares settings: a field with its documentation, default, parser and output.

use super::value::{DisplayValue, Raw};

/// One key of the configuration, as the reference page lists it.
#[derive(Debug)]
pub(crate) struct Key {
    /// With its sections, such as `limits.batch`.
    pub path: String,
    pub about: String,
    pub default: &'static str,
    /// Completes "expected …".
    pub expected: &'static str,
}

/// Why a value was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SetError {
    UnknownKey,
    /// Completes "expected …".
    Expected(&'static str),
}

/// Whether a rule is broken, the key that it is about, and what the value should be.
pub(super) type Rule = (bool, &'static str, &'static str);

/// A struct that [`settings!`] declares.
pub(super) trait Section {
    fn defaults() -> Self;

    /// Lists the keys, in the order of declaration.
    fn keys(prefix: &str, into: &mut Vec<Key>);

    fn set(&mut self, path: &str, raw: &Raw) -> Result<(), SetError>;

    /// The values, in the order of [`Self::keys`].
    fn values(&self, into: &mut Vec<DisplayValue>);
}

macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:literal; )*
        }
        sections {
            $( $(#[doc = $section_doc:literal])+ $section:ident: $section_type:ty; )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $( $(#[doc = $doc])+ pub(crate) $field: $type, )*
            $( $(#[doc = $section_doc])+ pub(crate) $section: $section_type, )*
        }

        impl $crate::config::section::Section for $name {
            fn defaults() -> Self {
                use $crate::config::value::{Raw, Setting};
                Self {
                    $( $field: Setting::parse(&Raw::Text($default.to_owned()))
                        .expect("defaults are valid"), )*
                    $( $section: <$section_type>::defaults(), )*
                }
            }

            fn keys(prefix: &str, into: &mut Vec<$crate::config::section::Key>) {
                $( into.push($crate::config::section::Key {
                    path: format!("{prefix}{}", stringify!($field)),
                    about: [$($doc),+].map(str::trim).join(" "),
                    default: $default,
                    expected: <$type as $crate::config::value::Setting>::EXPECTED,
                }); )*
                $( <$section_type>::keys(concat!(stringify!($section), "."), into); )*
            }

            fn set(
                &mut self,
                path: &str,
                raw: &$crate::config::value::Raw,
            ) -> Result<(), $crate::config::section::SetError> {
                use $crate::config::{section::SetError, value::Setting};
                match path.split_once('.').unwrap_or((path, "")) {
                    $( (stringify!($field), "") => {
                        self.$field = Setting::parse(raw)
                            .ok_or(SetError::Expected(<$type as Setting>::EXPECTED))?;
                        Ok(())
                    }, )*
                    $( (stringify!($section), rest) => self.$section.set(rest, raw), )*
                    _ => Err(SetError::UnknownKey),
                }
            }

            fn values(&self, into: &mut Vec<$crate::config::value::DisplayValue>) {
                use $crate::config::value::Setting;
                $( into.push(self.$field.display()); )*
                $( self.$section.values(into); )*
            }
        }
    };
}
pub(super) use settings;
