//! Collects everything that is wrong with a request, so that one answer names it all.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
    str::FromStr,
};

use postrider::{
    EventTypeName, Uid,
    api::{MAX_METADATA, Metadata},
};

use crate::api::{
    error::ApiError,
    problem_list::{ProblemList, item},
};

/// Everything that is wrong with a part of a request so far.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    /// Where the part lies; places of problems are in it.
    base: &'a [&'a str],
    found: ProblemList,
}

impl<'a> Problems<'a> {
    /// Nothing yet; places lie in `base`, such as `["body"]`.
    pub(crate) fn within(base: &'a [&'a str]) -> Self {
        Self { base, found: ProblemList::default() }
    }

    pub(crate) fn add(&mut self, place: &[&str], message: impl Into<String>) {
        let base = self.base;
        self.found.add(|| item(&[base, place].concat(), message, "value_error"));
    }

    /// Adds a problem whose message takes work, which is done only if the response names it.
    pub(crate) fn explain(&mut self, place: &[&str], message: impl FnOnce() -> String) {
        let base = self.base;
        self.found.add(|| item(&[base, place].concat(), message(), "value_error"));
    }

    /// Adds the problem unless the condition holds.
    pub(crate) fn demand(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.add(&[field], message);
        }
    }

    /// Parses the text, or notes why it does not parse.
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

    /// A uid of something that has ids of the kind `I`. One that reads like such an id could
    /// not be told from it in a path.
    pub(crate) fn uid<I: FromStr>(&mut self, field: &str, text: Option<&str>) -> Option<Uid> {
        let text = text?;
        self.demand(text.parse::<I>().is_err(), field, "must not look like one of our ids");
        self.parse(&[field], text)
    }

    /// Event types to listen to: at least one, none twice.
    pub(crate) fn event_types(&mut self, names: Vec<String>) -> Vec<EventTypeName> {
        let names = distinct(names);
        self.demand(!names.is_empty(), "eventTypes", EMPTY_LIST);
        let parse =
            |(index, name): (usize, &String)| self.parse(&["eventTypes", &index.to_string()], name);
        names.iter().enumerate().filter_map(parse).collect()
    }

    /// A list of short words with a few marks in them, none twice.
    pub(crate) fn words(&mut self, rule: &Words, words: Vec<String>) -> Vec<String> {
        let mut words = distinct(words);
        self.demand(words.len() >= rule.least, rule.field, EMPTY_LIST);
        if words.len() > rule.most {
            self.add(&[rule.field], format!("has more than {} items", rule.most));
            words.truncate(rule.most);
        }
        for (index, word) in words.iter().enumerate() {
            if !rule.allows(word) {
                self.add(&[rule.field, &index.to_string()], rule.sentence());
            }
        }
        words
    }

    /// Calls in a second: at least one.
    pub(crate) fn throttle_rate(&mut self, rate: Option<u16>) -> Option<u32> {
        self.demand(rate != Some(0), "throttleRate", "must be at least 1");
        rate.map(u32::from)
    }

    pub(crate) fn metadata(&mut self, metadata: &Metadata) {
        if bytes(metadata) > MAX_METADATA {
            self.add(&["metadata"], format!("is longer than {MAX_METADATA} bytes"));
        }
    }

    /// Refuses control characters, which nobody types on purpose.
    pub(crate) fn plain_text(&mut self, field: &str, text: &str) {
        let plain = text.chars().all(|it| !it.is_control() || matches!(it, '\n' | '\r' | '\t'));
        self.demand(plain, field, "must not hold control characters");
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let is_valid = self.found.is_empty();
        if is_valid { Ok(()) } else { Err(ApiError::Invalid(self.found.into_items())) }
    }

    /// Ends with the value if nothing was wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, ApiError> {
        self.finish().map(|()| value)
    }
}

const EMPTY_LIST: &str = "must have at least one item; use null to match everything";

/// The same, each once, in the order in which they first came.
fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn bytes(map: &BTreeMap<String, String>) -> usize {
    map.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// What the words of a list may be.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) field: &'static str,
    pub(crate) least: usize,
    pub(crate) most: usize,
    /// Longest word.
    pub(crate) length: usize,
    /// Characters beside letters and digits.
    pub(crate) marks: &'static str,
}

impl Words {
    pub(crate) fn allows(&self, word: &str) -> bool {
        let allowed = |it: char| it.is_ascii_alphanumeric() || self.marks.contains(it);
        (1..=self.length).contains(&word.len()) && word.chars().all(allowed)
    }

    pub(crate) fn sentence(&self) -> String {
        format!("must have 1 to {} letters, digits and any of {}", self.length, self.marks)
    }
}
