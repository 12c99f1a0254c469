//! The HTTP side of the operations: their declaration, the parsing of requests, responses and errors,
//! and the `OpenAPI` document.

pub(crate) mod access;
pub(crate) mod body;
pub(crate) mod convert;
pub(crate) mod error;
pub(crate) mod error_report;
pub(crate) mod examples;
pub(crate) mod json_text;
pub(crate) mod openapi;
pub(crate) mod operation;
pub(crate) mod path;
pub(crate) mod problem_list;
pub(crate) mod problems;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod shape;
pub(crate) mod suggest;
pub(crate) mod unavailable;
