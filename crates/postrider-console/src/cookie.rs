//! The cookies of the console: sessions, preferences, and the message after an action.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use postrider_core::sign_in;

/// Who can read a cookie, and in which frames browsers send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Pages of this site only.
    Own,
    /// Frames in pages of other sites, too, separately for each of these sites.
    Embedded,
}

/// A cookie that scripts cannot read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookie {
    name: &'static str,
    secure_name: &'static str,
    reach: Reach,
}

/// The token of a person in the console.
pub(crate) const CONSOLE: Cookie = Cookie {
    name: "postrider-console",
    secure_name: "__Host-postrider-console",
    reach: Reach::Own,
};

/// The token of a customer in the portal.
pub(crate) const PORTAL: Cookie = Cookie {
    name: "postrider-portal",
    secure_name: "__Host-postrider-portal",
    reach: Reach::Embedded,
};

/// How the portal looks in the page that embeds it.
pub(crate) const EMBEDDING: Cookie = Cookie {
    name: "postrider-embedding",
    secure_name: "__Host-postrider-embedding",
    reach: Reach::Embedded,
};

/// The theme: `light`, `dark`, or `auto`.
pub(crate) const THEME: Cookie = Cookie {
    name: "postrider-theme",
    secure_name: "__Host-postrider-theme",
    reach: Reach::Embedded,
};

/// The time zone of shown times: `utc` or `local`.
pub(crate) const ZONE: Cookie =
    Cookie { name: "postrider-zone", secure_name: "__Host-postrider-zone", reach: Reach::Embedded };

/// `off` if single letters are not keys.
pub(crate) const KEYS: Cookie =
    Cookie { name: "postrider-keys", secure_name: "__Host-postrider-keys", reach: Reach::Embedded };

/// Saved views of the list of messages.
pub(crate) const VIEWS: Cookie =
    Cookie { name: "postrider-views", secure_name: "__Host-postrider-views", reach: Reach::Own };

/// The message after an action, shown once.
pub(crate) const FLASH: Cookie = Cookie {
    name: "postrider-flash",
    secure_name: "__Host-postrider-flash",
    reach: Reach::Embedded,
};

/// How far other sites are from this server, which decides what browsers accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// HTTPS.
    Encrypted,
    /// HTTP on this machine, which browsers treat like HTTPS, except for names with a prefix.
    Loopback,
    /// HTTP over a network.
    Plain,
}

impl Cookie {
    /// The value in a request.
    pub(crate) fn find(self, headers: &HeaderMap, transport: Transport) -> Option<&str> {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
        sign_in::cookie(values, self.name_over(transport)).filter(|it| !it.is_empty())
    }

    /// The header that sets it, until the browser closes or for the given time. The value must be
    /// visible ASCII without `;`.
    pub(crate) fn set(
        self,
        value: &str,
        lifetime: Option<Duration>,
        transport: Transport,
    ) -> Option<HeaderValue> {
        let mut text = format!("{}={value}; Path=/; HttpOnly", self.name_over(transport));
        text.push_str(match (self.reach, transport) {
            (Reach::Embedded, Transport::Encrypted | Transport::Loopback) => {
                "; SameSite=None; Secure; Partitioned"
            },
            (Reach::Own, Transport::Encrypted) => "; SameSite=Lax; Secure",
            (Reach::Own, Transport::Loopback | Transport::Plain)
            | (Reach::Embedded, Transport::Plain) => "; SameSite=Lax",
        });
        if let Some(lifetime) = lifetime {
            write!(text, "; Max-Age={}", lifetime.as_secs())
                .expect("strings take all that is written");
        }
        let mut header = HeaderValue::try_from(text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The header that removes it.
    pub(crate) fn remove(self, transport: Transport) -> Option<HeaderValue> {
        self.set("", Some(Duration::ZERO), transport)
    }

    const fn name_over(self, transport: Transport) -> &'static str {
        match transport {
            Transport::Encrypted => self.secure_name,
            Transport::Loopback | Transport::Plain => self.name,
        }
    }
}
