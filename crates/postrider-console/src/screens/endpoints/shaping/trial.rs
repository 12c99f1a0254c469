//! The trial of a transformation, and its result.

use maud::{Markup, html};
use postrider::api::transformation::TransformationSimulateOut;

use super::sample::Sample;
use crate::{
    page::Tone,
    ui::{self, Icon, badge, code, refusal::Refusal},
};

/// A form that was sent, with what came of it.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// What the code ran on.
    pub(super) sample: Option<Sample>,
    /// Why the form is shown again, if something is wrong with it.
    pub(super) refusal: Refusal,
    pub(super) output: Option<TransformationSimulateOut>,
}

impl Tried {
    /// Whether the code itself failed, so that it can be saved all the same.
    pub(super) fn has_failed(&self) -> bool {
        self.sample.is_some() && self.code_problem().is_some()
    }

    pub(super) fn code_problem(&self) -> Option<String> {
        self.refusal.problem("code", "code")
    }

    /// The input and the output side by side.
    pub(super) fn markup(&self) -> Markup {
        let Some(sample) = &self.sample else { return Markup::default() };
        let output = match (&self.output, self.code_problem()) {
            (Some(it), _) => output(it),
            (None, Some(problem)) => failed(&problem),
            (None, None) => return Markup::default(),
        };
        html! {
            section.section #trial aria-label="Result of the transformation" {
                h2 { "Result" }
                div.exchange { (sample.markup()) (output) }
            }
        }
    }
}

fn failed(problem: &str) -> Markup {
    html! {
        section.stack aria-label="Output" {
            div.section-head { h3 { "Output" } (badge(Tone::Bad, Icon::Cross, "Failed")) }
            (ui::notice(Tone::Bad, &html! {
                p { (ui::sentence(problem)) }
                p { "A delivery that fails in this way is retried, like one that the receiver refuses." }
            }))
        }
    }
}

fn output(it: &TransformationSimulateOut) -> Markup {
    html! {
        section.stack aria-label="Output" {
            @if it.cancel {
                div.section-head { h3 { "Output" } (badge(Tone::Neutral, Icon::Pause, "Cancelled")) }
                p { "The code cancels the delivery: nothing is sent, and the attempt counts as a success." }
            } @else {
                div.section-head { h3 { "Output" } (badge(Tone::Good, Icon::Check, "Runs")) }
                p.request-line { strong { (it.method.as_deref().unwrap_or("POST")) } code { (it.url) } }
                @if !it.headers.is_empty() {
                    dl.headers {
                        @for (name, value) in &it.headers { div { dt { (name) } dd { (value) } } }
                    }
                }
                (code::json("Body", &it.payload, None))
            }
            @if !it.console.is_empty() { (code::block("Console", &it.console)) }
        }
    }
}
