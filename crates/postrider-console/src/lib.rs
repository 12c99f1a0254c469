//! The web console, for operators and developers, and the portal that a platform embeds for its
//! customers.
//!
//! Pages are rendered on the server. They call the operations of the API in process, with the
//! credentials of the person who is signed in, and render the results: the console can do nothing
//! that the API cannot.
//!
//! | question | file |
//! |---|---|
//! | Which page is at a URL? | `screens.rs`, `portal.rs` |
//! | How does a page call the API? | `api.rs`, `context.rs` |
//! | What does every page have in common? | `layout.rs`, `ui/` |
//! | How do pages update themselves? | `live.rs`, `assets/js/live.js` |
//! | Who is signed in? | `session.rs`, `screens/login.rs` |

mod api;
mod assets;
mod context;
mod cookie;
mod docs;
mod failure;
mod form;
pub mod inbox;
mod layout;
mod live;
mod origin;
mod page;
mod portal;
mod prefix;
mod query;
mod range;
mod response;
mod route;
mod screens;
mod session;
mod settings;
mod site;
mod standalone;
mod theme;
mod ui;
mod viewer;

pub use crate::{
    docs::router as docs,
    prefix::strip as strip_prefix,
    screens::router as console,
    settings::{ConsoleSettings, Welcome},
};
