//! Validation of requests, which collects all problems for one response.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
    str::FromStr,
};

use postrider::{
    EventTypeName, Uid,
    api::{MAX_METADATA, Metadata},
};
use postrider_core::kind::Problem;

use crate::api::{
    error::ApiError,
    problem_list::{ProblemList, item},
};

/// The problems of a part of a request.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    /// The location of the part.
    base: &'a [&'a str],
    list: ProblemList,
}

impl<'a> Problems<'a> {
    /// No problems yet. Their locations will be relative to `base`, such as `["body"]`.
    pub(crate) fn within(base: &'a [&'a str]) -> Self {
        Self { base, list: ProblemList::default() }
    }

    pub(crate) fn add(&mut self, place: &[&str], message: impl Into<String>) {
        let base = self.base;
        self.list.add(|| item(&[base, place].concat(), message, "value_error"));
    }

    /// Adds the problems of a configuration or a mapping, which is in this field.
    pub(crate) fn add_all(&mut self, field: &str, found: Vec<Problem>) {
        for Problem { path, message } in found {
            let path = std::iter::once(field).chain(path.iter().map(String::as_str));
            self.add(&path.collect::<Vec<_>>(), message);
        }
    }

    /// Adds that a required field is missing.
    pub(crate) fn missing(&mut self, place: &[&str]) {
        let base = self.base;
        let place = [base, place].concat();
        self.list.add(|| item(&place, "field required", "value_error.missing"));
    }

    /// Adds a problem whose message is expensive, and is made only if the response lists it.
    pub(crate) fn explain(&mut self, place: &[&str], message: impl FnOnce() -> String) {
        let base = self.base;
        self.list.add(|| item(&[base, place].concat(), message(), "value_error"));
    }

    /// Adds the problem unless the condition holds.
    pub(crate) fn require(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(&[field], message);
        }
    }

    /// Parses the text, or adds the reason why it does not parse.
    pub(crate) fn parse<T>(&mut self, place: &[&str], text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(place, format!("{error}"));
                None
            },
        }
    }

    /// A uid of a record whose ids are of the type `I`. A uid that looks like such an id would be
    /// ambiguous in a path.
    pub(crate) fn uid<I: FromStr>(&mut self, field: &str, text: Option<&str>) -> Option<Uid> {
        let text = text?;
        self.require(text.parse::<I>().is_err(), field, "must not look like an id");
        self.parse(&[field], text)
    }

    /// The event types of a subscription: at least one, without duplicates.
    pub(crate) fn event_types(&mut self, names: Vec<String>) -> Vec<EventTypeName> {
        let names = distinct(names);
        self.require(!names.is_empty(), "eventTypes", EMPTY_LIST);
        let parse =
            |(index, name): (usize, &String)| self.parse(&["eventTypes", &index.to_string()], name);
        names.iter().enumerate().filter_map(parse).collect()
    }

    /// A list of words, without duplicates.
    pub(crate) fn words(&mut self, rule: &WordRule, words: Vec<String>) -> Vec<String> {
        let mut words = distinct(words);
        self.require(words.len() >= rule.min_items, rule.field, EMPTY_LIST);
        if words.len() > rule.max_items {
            self.add(&[rule.field], format!("has more than {} items", rule.max_items));
            words.truncate(rule.max_items);
        }
        for (index, word) in words.iter().enumerate() {
            if !rule.allows(word) {
                self.add(&[rule.field, &index.to_string()], rule.sentence());
            }
        }
        words
    }

    /// A rate per second: at least one.
    pub(crate) fn throttle_rate(&mut self, rate: Option<u16>) -> Option<u32> {
        self.require(rate != Some(0), "throttleRate", "must be at least 1");
        rate.map(u32::from)
    }

    pub(crate) fn metadata(&mut self, metadata: &Metadata) {
        if bytes(metadata) > MAX_METADATA {
            self.add(&["metadata"], format!("is longer than {MAX_METADATA} bytes"));
        }
    }

    /// Refuses control characters.
    pub(crate) fn plain_text(&mut self, field: &str, text: &str) {
        let plain = text.chars().all(|it| !it.is_control() || matches!(it, '\n' | '\r' | '\t'));
        self.require(plain, field, "must not contain control characters");
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let is_valid = self.list.is_empty();
        if is_valid { Ok(()) } else { Err(ApiError::Invalid(self.list.into_items())) }
    }

    /// The value, unless there are problems.
    pub(crate) fn finish_with<T>(self, value: T) -> Result<T, ApiError> {
        self.finish().map(|()| value)
    }
}

const EMPTY_LIST: &str = "must have at least one item; use null to match everything";

/// The texts without duplicates, in their order.
fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn bytes(map: &BTreeMap<String, String>) -> usize {
    map.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// A rule for the words of a list.
#[derive(Debug)]
pub(crate) struct WordRule {
    pub(crate) field: &'static str,
    pub(crate) min_items: usize,
    pub(crate) max_items: usize,
    /// Longest word.
    pub(crate) max_length: usize,
    /// Allowed characters, in addition to letters and digits.
    pub(crate) marks: &'static str,
}

impl WordRule {
    pub(crate) fn allows(&self, word: &str) -> bool {
        let allowed = |it: char| it.is_ascii_alphanumeric() || self.marks.contains(it);
        (1..=self.max_length).contains(&word.len()) && word.chars().all(allowed)
    }

    pub(crate) fn sentence(&self) -> String {
        format!(
            "must have 1 to {} characters: letters, digits and any of {}",
            self.max_length, self.marks
        )
    }
}
