//! What pages consist of. Everything is an element with classes that `assets/css` styles.

pub(crate) mod api_panel;
pub(crate) mod chart;
pub(crate) mod code;
pub(crate) mod field;
pub(crate) mod form;
pub(crate) mod icon;
pub(crate) mod list;
pub(crate) mod refusal;
pub(crate) mod state;
pub(crate) mod text;
pub(crate) mod time;

pub(crate) use self::{
    api_panel::api_panel,
    field::Field,
    form::{action_button, confirm, form, submit},
    icon::{Icon, icon},
    list::{empty, facts, filters, pages, table, tabs},
    state::{badge, banner, index_rebuild, notice},
    text::{bytes, count, id, link, number, plural, quoted, sentence},
    time::{duration, millis, time},
};
