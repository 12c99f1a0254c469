//! A picture of the portal in the chosen colors, and whether its texts can be read.

use maud::{Markup, html};

use super::body::{COLORS, PALETTES};
use crate::{
    form::Form,
    page::Tone,
    theme::color::{Color, READABLE},
    ui::{Icon, badge},
};

/// The colors of one palette in the order of [`COLORS`].
struct Colors([Color; 3]);

/// Both palettes.
pub(super) fn preview(form: &Form) -> Markup {
    let name = form.text("displayName").unwrap_or("Webhooks");
    html! {
        @for (palette, title, defaults) in PALETTES {
            @if let Some(colors) = colors(form, palette, defaults) {
                figure.theme-preview {
                    figcaption { (title) }
                    (picture(name, &colors))
                    (contrasts(&colors))
                }
            }
        }
        p.hint { "Texts need a contrast of at least 4.5 to be readable for everyone. Colors with less are adjusted when they are shown." }
    }
}

/// The chosen colors, and the defaults for those that are missing or wrong.
fn colors(form: &Form, palette: &str, defaults: [&str; 3]) -> Option<Colors> {
    let color = |place: usize| {
        let given = form.text(&format!("{palette}.{}", COLORS[place].0));
        given.and_then(Color::parse).or_else(|| Color::parse(defaults[place]))
    };
    Some(Colors([color(0)?, color(1)?, color(2)?]))
}

fn picture(name: &str, Colors([primary, background, text]): &Colors) -> Markup {
    let (button, primary, background, text) =
        (primary.text().to_string(), primary.to_string(), background.to_string(), text.to_string());
    html! {
        svg viewBox="0 0 320 150" role="img" aria-label="Preview of the portal" {
            rect width="320" height="150" rx="8" fill=(background) {}
            rect x="0.5" y="0.5" width="319" height="149" rx="8" fill="none" stroke=(text) stroke-opacity="0.2" {}
            text x="16" y="27" fill=(text) font-size="13" font-weight="600" { (name) }
            line x1="0" x2="320" y1="42" y2="42" stroke=(text) stroke-opacity="0.15" {}
            text x="16" y="68" fill=(text) font-size="15" font-weight="600" { "Endpoints" }
            rect x="222" y="54" width="82" height="22" rx="5" fill=(primary) {}
            text x="263" y="69" fill=(button) font-size="10" font-weight="600" text-anchor="middle" { "Add endpoint" }
            rect x="16" y="86" width="288" height="46" rx="6" fill="none" stroke=(text) stroke-opacity="0.2" {}
            text x="28" y="105" fill=(primary) font-size="11" { "https://example.com/webhooks" }
            text x="28" y="121" fill=(text) font-size="10" { "order.created, order.shipped" }
        }
    }
}

fn contrasts(Colors([primary, background, text]): &Colors) -> Markup {
    let pairs = [
        ("Text", text.contrast(*background)),
        ("Links", primary.contrast(*background)),
        ("Buttons", primary.text().contrast(*primary)),
    ];
    html! {
        ul.contrasts {
            @for (name, contrast) in pairs {
                // Rounded down, because 4.46 is not enough.
                @let ratio = format!("{name} {:.1}", (contrast * 10.0).floor() / 10.0);
                li {
                    @if contrast >= READABLE { (badge(Tone::Good, Icon::Check, &ratio)) }
                    @else { (badge(Tone::Warning, Icon::Warning, &format!("{ratio}: too low"))) }
                }
            }
        }
    }
}
