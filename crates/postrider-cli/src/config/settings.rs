//! Declares settings once: the field, its documentation, its default, and how it is set.

use super::value::{Raw, Shown};

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

/// Why a value was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownKey,
    /// Completes "expected …".
    Expected(&'static str),
}

/// A struct that [`settings!`] made.
pub(super) trait Section {
    fn defaults() -> Self;

    /// Lists the keys, in the order of declaration.
    fn keys(prefix: &str, into: &mut Vec<Key>);

    fn set(&mut self, path: &str, raw: &Raw) -> Result<(), Refusal>;

    /// The values, in the order of [`Self::keys`].
    fn values(&self, into: &mut Vec<Shown>);
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

        impl $crate::config::settings::Section for $name {
            fn defaults() -> Self {
                use $crate::config::value::{Raw, Setting};
                Self {
                    $( $field: Setting::parse(&Raw::Text($default.to_owned()))
                        .expect("defaults are valid"), )*
                    $( $section: <$section_type>::defaults(), )*
                }
            }

            fn keys(prefix: &str, into: &mut Vec<$crate::config::settings::Key>) {
                $( into.push($crate::config::settings::Key {
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
            ) -> Result<(), $crate::config::settings::Refusal> {
                use $crate::config::{settings::Refusal, value::Setting};
                match path.split_once('.').unwrap_or((path, "")) {
                    $( (stringify!($field), "") => {
                        self.$field = Setting::parse(raw)
                            .ok_or(Refusal::Expected(<$type as Setting>::EXPECTED))?;
                        Ok(())
                    }, )*
                    $( (stringify!($section), rest) => self.$section.set(rest, raw), )*
                    _ => Err(Refusal::UnknownKey),
                }
            }

            fn values(&self, into: &mut Vec<$crate::config::value::Shown>) {
                use $crate::config::value::Setting;
                $( into.push(self.$field.shown()); )*
                $( self.$section.values(into); )*
            }
        }
    };
}
pub(super) use settings;
