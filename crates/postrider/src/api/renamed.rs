//! Fields with different names in 1.x and 2.x clients.
//!
//! Each type represents one value under two names, flattened into an object. Either name is
//! deserialized, the current one first; both are serialized, so that all clients find theirs.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::field::Field;

/// The JSON names of the fields in this module. Errors in flattened fields have no location, so the
/// server has to find them by name.
pub const FLATTENED: [&str; 6] =
    ["eventTypes", "filterTypes", "throttleRate", "rateLimit", "featureFlags", "featureFlag"];

macro_rules! renamed {
    ($($(#[$doc:meta])* $name:ident: $now:ident, $(#[$past_doc:meta])* $past:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name<F>(pub F);

        const _: () = {
            #[derive(Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(rename_all = "camelCase", bound(deserialize = "F: Field + Deserialize<'de>"))]
            struct Wire<F: Field> {
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Field::is_absent")]
                $now: F,
                $(#[$past_doc])*
                #[serde(default, skip_serializing_if = "Field::is_absent")]
                #[cfg_attr(feature = "schema", schemars(extend("deprecated" = true)))]
                $past: F,
            }

            impl<F: Field + Clone + Serialize> Serialize for $name<F> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Wire { $now: self.0.clone(), $past: self.0.clone() }.serialize(serializer)
                }
            }

            impl<'de, F: Field + Deserialize<'de>> Deserialize<'de> for $name<F> {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let wire = Wire::<F>::deserialize(deserializer)?;
                    Ok(Self(if wire.$now.is_absent() { wire.$past } else { wire.$now }))
                }
            }

            #[cfg(feature = "schema")]
            impl<F: Field + schemars::JsonSchema> schemars::JsonSchema for $name<F> {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    format!("{}_{}", stringify!($name), F::schema_name()).into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    Wire::<F>::json_schema(generator)
                }
            }
        };
    )+};
}

renamed! {
    /// The event types that the endpoint receives; all if absent or `null`.
    EventTypes: event_types,
    /// The name of `eventTypes` in 1.x clients.
    filter_types;

    /// Maximum number of attempts per second; further attempts wait.
    ThrottleRate: throttle_rate,
    /// The name of `throttleRate` in 1.x clients.
    rate_limit;
}

/// Feature flags of an event type. The list is deserialized, or the single flag of 1.x clients; the
/// list and its first flag are serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureFlags<F>(pub F);

const _: () = {
    use crate::api::field::Patch;

    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(
        rename_all = "camelCase",
        bound(deserialize = "L: Field + Deserialize<'de>, S: Field + Deserialize<'de>")
    )]
    struct Wire<L: Field, S: Field> {
        /// Only tokens with one of these flags can see the event type; all tokens if there are
        /// none.
        #[serde(default, skip_serializing_if = "Field::is_absent")]
        feature_flags: L,
        /// The field of 1.x clients that `featureFlags` replaced.
        #[serde(default, skip_serializing_if = "Field::is_absent")]
        #[cfg_attr(feature = "schema", schemars(extend("deprecated" = true)))]
        feature_flag: S,
    }

    macro_rules! flags {
        ($container:ident) => {
            type Flags = $container<Vec<String>>;
            type Both = Wire<Flags, $container<String>>;

            impl Serialize for FeatureFlags<Flags> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let wire: Both =
                        Wire { feature_flag: first(&self.0), feature_flags: self.0.clone() };
                    wire.serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for FeatureFlags<Flags> {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let wire = Both::deserialize(deserializer)?;
                    if wire.feature_flags.is_absent() {
                        return Ok(Self(list(wire.feature_flag)));
                    }
                    Ok(Self(wire.feature_flags))
                }
            }

            #[cfg(feature = "schema")]
            impl schemars::JsonSchema for FeatureFlags<Flags> {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    concat!("FeatureFlags_", stringify!($container)).into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    Both::json_schema(generator)
                }
            }
        };
    }

    const _: () = {
        flags!(Option);

        fn first(flags: &Flags) -> Option<String> {
            flags.iter().flatten().next().cloned()
        }

        fn list(flag: Option<String>) -> Flags {
            flag.map(|flag| vec![flag])
        }
    };

    const _: () = {
        flags!(Patch);

        fn first(flags: &Flags) -> Patch<String> {
            match flags {
                Patch::Set(flags) => flags.first().cloned().map_or(Patch::Clear, Patch::Set),
                Patch::Clear => Patch::Clear,
                Patch::Keep => Patch::Keep,
            }
        }

        fn list(flag: Patch<String>) -> Flags {
            match flag {
                Patch::Set(flag) => Patch::Set(vec![flag]),
                Patch::Clear => Patch::Clear,
                Patch::Keep => Patch::Keep,
            }
        }
    };
};
