//! A system that was read at once, because its API returns everything in a few lists.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    model::{Application, ApplicationContent, Environment, EventType},
    source::{MessagePage, MessageQuery, Source},
};

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    location: String,
    /// Both are handed out once.
    environment: RefCell<Environment>,
    content: RefCell<BTreeMap<String, ApplicationContent>>,
    applications: Vec<Application>,
}

impl Snapshot {
    pub(crate) fn new(location: String, records: Records) -> Self {
        let Records { environment, applications } = records.complete();
        let content = applications.into_iter().map(|it| (it.application, it.content));
        let (applications, content): (Vec<_>, Vec<_>) = content.unzip();
        let uids = applications.iter().map(|it| it.uid.clone());
        Self {
            location,
            environment: RefCell::new(environment),
            content: RefCell::new(uids.zip(content).collect()),
            applications,
        }
    }
}

/// The records of a system in the form of the importer.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub environment: Environment,
    pub applications: Vec<Customer>,
}

/// An application with what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Customer {
    pub application: Application,
    pub content: ApplicationContent,
}

impl Records {
    /// Adds the event types that endpoints name and the catalog does not have, because an endpoint
    /// can only select event types that exist.
    fn complete(mut self) -> Self {
        let endpoints = self.applications.iter().flat_map(|it| &it.content.endpoints);
        let named: BTreeSet<_> = endpoints.flat_map(|it| it.event_types.iter().flatten()).collect();
        let known = &mut self.environment.event_types;
        let is_new = |name: &&&String| !known.iter().any(|it| it.name == ***name);
        let new: Vec<_> = named.iter().filter(is_new).map(|name| (*name).clone()).collect();
        known.extend(new.into_iter().map(|name| EventType { name, ..EventType::default() }));
        self
    }

    /// The application with this uid, which is created if there is none.
    pub(crate) fn customer(&mut self, uid: &str, name: &str) -> &mut Customer {
        let index = self.applications.iter().position(|it| it.application.uid == uid);
        let index = index.unwrap_or_else(|| {
            let (source_id, uid, name) = (uid.to_owned(), uid.to_owned(), name.to_owned());
            let application = Application { source_id, uid, name, ..Application::default() };
            self.applications.push(Customer { application, ..Customer::default() });
            self.applications.len() - 1
        });
        &mut self.applications[index]
    }
}

impl Source for Snapshot {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn environment(&self) -> anyhow::Result<Environment> {
        Ok(self.environment.take())
    }

    async fn applications(&self) -> anyhow::Result<Vec<Application>> {
        Ok(self.applications.clone())
    }

    async fn content(&self, application: &Application) -> anyhow::Result<ApplicationContent> {
        Ok(self.content.borrow_mut().remove(&application.uid).unwrap_or_default())
    }

    async fn messages(&self, _: &Application, _: &MessageQuery) -> anyhow::Result<MessagePage> {
        Ok(MessagePage { messages: Vec::new(), iterator: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::import::model::Endpoint;

    #[test]
    fn event_types_that_only_endpoints_name_are_imported_too() {
        let mut records = Records::default();
        let known = EventType { name: "a".to_owned(), ..EventType::default() };
        records.environment.event_types.push(known);
        let event_types = Some(vec!["b".to_owned(), "a".to_owned(), "b".to_owned()]);
        let endpoint = Endpoint { event_types, ..Endpoint::default() };
        records.customer("acme", "Acme").content.endpoints.push(endpoint);
        let names = records.complete().environment.event_types;
        let names: Vec<_> = names.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
