//! Saved views: names of filters, as a cookie holds them.

/// Most views that are kept.
pub(super) const MAX_VIEWS: usize = 10;

/// Most bytes of the cookie. Browsers keep 4 KiB.
const MAX_BYTES: usize = 3_600;

/// Longest name.
pub(super) const MAX_NAME: usize = 40;

/// Names with the parameters of their filters, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Views(Vec<(String, String)>);

impl Views {
    pub(super) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().take(MAX_VIEWS).collect())
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Adds a view, or replaces that with the same name. The oldest views make room.
    pub(super) fn save(&mut self, name: &str, query: &str) {
        self.remove(name);
        self.0.push((name.chars().take(MAX_NAME).collect(), query.to_owned()));
        while self.0.len() > MAX_VIEWS || (self.0.len() > 1 && self.to_text().len() > MAX_BYTES) {
            self.0.remove(0);
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|it| it.0 != name);
    }

    /// The value of the cookie.
    pub(super) fn to_text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_survive_their_cookie() {
        let mut views = Views::default();
        views.save("Failed; all", "status=2&type=order.created");
        views.save("Größe", "contains=%3B");
        let text = views.to_text();
        assert!(text.bytes().all(|it| it.is_ascii_graphic() && it != b';'), "{text}");
        assert_eq!(Views::parse(&text), views);
    }

    #[test]
    fn the_oldest_views_make_room() {
        let mut views = Views::default();
        for number in 0..12 {
            views.save(&format!("view {number}"), "status=2");
        }
        assert_eq!(views.pairs().len(), MAX_VIEWS);
        assert_eq!(views.pairs()[0].0, "view 2");
        views.save("view 2", "status=3");
        assert_eq!(views.pairs().last().unwrap().1, "status=3");
        views.save("long", &"x".repeat(3_600));
        assert_eq!(views.pairs().len(), 1);
        assert_eq!(Views::parse(&Views::default().to_text()), Views::default());
    }
}
