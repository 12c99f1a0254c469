//! Icons, drawn on a grid of 16 by 16.

use maud::{Markup, html};

/// An icon. It never stands alone: a word or a label accompanies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Overview,
    Applications,
    Endpoints,
    Tag,
    Plug,
    Messages,
    Failures,
    Live,
    Tasks,
    Sources,
    Queue,
    Inspect,
    Settings,
    Shield,
    Search,
    Copy,
    Check,
    Cross,
    Clock,
    Pause,
    Warning,
    Arrow,
    Plus,
    Send,
    Repeat,
    Key,
    Link,
    Down,
    Book,
    User,
    Dot,
    Half,
    Pin,
}

impl Icon {
    /// The paths. They are strokes.
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "M2 13V8m4 5V3m4 10V6m4 7v-3",
            Self::Applications => {
                "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z"
            },
            Self::Endpoints => "M2 8h9M8 4.5 11.5 8 8 11.5M14 3v10",
            Self::Tag => "M2 2.5h5.5L14 9l-5 5-7-6.5zM5 5.5h.01",
            Self::Plug => "M6 2v3M10 2v3M4 5h8v3a4 4 0 0 1-8 0zM8 12v2.5",
            Self::Messages => "M2 3.5h12v9H2zM2 4l6 5 6-5",
            Self::Failures => "M8 2 15 14H1zM8 6.5v3.5M8 12h.01",
            Self::Live => {
                "M8 8h.01M5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3 13A7 7 0 0 1 3 3M13 3a7 7 0 0 1 0 10"
            },
            Self::Tasks => "M2 4l1.2 1.2L5.5 3M2 9l1.2 1.2L5.5 8M8 4h6M8 9h6M8 13.5h6M2 13.5h3",
            Self::Sources => "M14 8H5M8 4.5 4.5 8 8 11.5M2 3v10",
            Self::Queue => "M2 3h12M2 6.5h12M2 10h12M2 13.5h7",
            Self::Inspect => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14M5 7h4",
            Self::Settings => "M2 4.5h7m3 0h2M2 11.5h2m3 0h7M10.5 3v3M5.5 10v3",
            Self::Shield => {
                "M8 1.5 13.5 4v4c0 3.500-2.500 5.500-5.500 6.500C5 13.500 2.500 11.500 2.500 8V4zM5.500 8l2 2 3-4"
            },
            Self::Search => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14",
            Self::Copy => "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
            Self::Check => "M3 8.500 6.500 12 13 4.500",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Clock => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.500V8l2.500 1.500",
            Self::Pause => "M5.500 3.500v9M10.500 3.500v9",
            Self::Warning => "M8 2 15 14H1zM8 6.500v3.500M8 12h.01",
            Self::Arrow => "M3 8h10M9 4l4 4-4 4",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Send => "M14 2 7 9M14 2l-4.500 12L7 9 2 6.500z",
            Self::Repeat => "M13 8a5 5 0 1 1-1.500-3.500L13 6M13 2.500V6H9.500",
            Self::Key => {
                "M5.500 13a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM8 7l6-5M11.500 4l2 2"
            },
            Self::Link => {
                "M6.500 9.500l3-3M7 4.500 9 2.500a3 3 0 0 1 4.500 4.500l-2 2M9 11.500l-2 2A3 3 0 0 1 2.500 9l2-2"
            },
            Self::Down => "M4 6l4 4 4-4",
            Self::Book => {
                "M3 2.500h8.500a1.500 1.500 0 0 1 1.500 1.500v9.500H4.500A1.500 1.500 0 0 1 3 12zM3 12a1.500 1.500 0 0 1 1.500-1.500H13"
            },
            Self::User => {
                "M8 8a2.800 2.800 0 1 0 0-5.600A2.800 2.800 0 0 0 8 8zM2.500 14c.5-3 2.500-4.500 5.500-4.500s5 1.500 5.500 4.500"
            },
            Self::Dot => "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
            Self::Pin => "M6 2.500h4l-.5 4.500 2 2.500h-7l2-2.500zM8 9.500V14",
            Self::Half => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12",
        }
    }
}

/// The drawing, which screen readers skip.
pub(crate) fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" {
            path d=(icon.path()) {}
        }
    }
}
