//! Loads the configuration from a file, the environment and flags; later sources win.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    consumers::{self, ConfiguredConsumer},
    endpoints::{self, ConfiguredEndpoint},
    entry::{Entry, FileText},
    error::{ConfigError, Source},
    keys::{PREFIX, file_variable, is_secret, keys, variable},
    schema::Config,
    section::{Key, Section, SetError},
    value::{DatabaseUrl, Raw},
};

/// The configuration file that is used if it exists and no other is named.
const DEFAULT_FILE: &str = "postrider.toml";

/// The list of endpoints.
pub(super) const ENDPOINTS: &str = "endpoints";

/// The list of consumers.
pub(super) const CONSUMERS: &str = "consumers";

/// Prefix of variables for the project's own tests.
const TEST_PREFIX: &str = "POSTRIDER_TEST_";

/// Variables that do not set a configuration key but a flag of some commands.
const OTHER_VARIABLES: [&str; 4] =
    ["POSTRIDER_CONFIG", "POSTRIDER_URL", "POSTRIDER_TOKEN", "POSTRIDER_STATE_DIR"];

/// Keys of earlier versions, and what replaces them.
const REMOVED: [(&str, &str); 1] = [(
    "metrics",
    "metrics have an address of their own: set `metrics_listen`, such as 127.0.0.1:8072, or leave \
     it out for none",
)];

/// The part of the configuration that comes from flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// A file that must exist.
    pub file: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<String>,
    pub database_url: Option<String>,
    /// `KEY=VALUE` each.
    pub set: Vec<String>,
}

/// A configuration with the origins of its values.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub config: Config,
    /// By key; keys that are missing have their default.
    pub origins: BTreeMap<String, Source>,
    pub declared: Declared,
}

/// Records that the file defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub endpoints: Vec<ConfiguredEndpoint>,
    pub consumers: Vec<ConfiguredConsumer>,
}

impl Declared {
    /// Where credentials are written, and in which entries.
    fn secrets(&self) -> impl Iterator<Item = (&Source, &String)> {
        let endpoints = self.endpoints.iter().filter(|it| it.is_secret);
        let consumers = self.consumers.iter().filter(|it| it.is_secret);
        let endpoints = endpoints.map(|it| (&it.origin, &it.label));
        endpoints.chain(consumers.map(|it| (&it.origin, &it.label)))
    }
}

impl Loaded {
    /// The files that contain secrets, each with the key of one of them.
    pub(crate) fn secret_files(&self) -> Vec<(PathBuf, String)> {
        let mut files = BTreeMap::new();
        for (key, origin) in self.origins.iter().filter(|(key, _)| self.holds_secret(key)) {
            if let Source::File { path, .. } | Source::SecretFile { path, .. } = origin {
                files.entry(path.clone()).or_insert_with(|| key.clone());
            }
        }
        for (origin, label) in self.declared.secrets() {
            if let Source::File { path, .. } = origin {
                files.entry(path.clone()).or_insert_with(|| label.clone());
            }
        }
        if let Some(path) = &self.config.tls_key {
            files.entry(path.clone()).or_insert_with(|| "tls_key".to_owned());
        }
        files.into_iter().collect()
    }

    fn holds_secret(&self, key: &str) -> bool {
        match key {
            "proxy" => self.config.proxy.as_ref().is_some_and(|it| it.credentials.is_some()),
            "database_url" => self.config.database_url.as_ref().is_some_and(DatabaseUrl::is_secret),
            _ => is_secret(key),
        }
    }
}

/// Loads the configuration of this process.
pub(crate) fn load(overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_from(overrides, Path::new(DEFAULT_FILE), variables)
}

fn load_from(
    overrides: &Overrides,
    default_file: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut loader = Loader {
        loaded: Loaded {
            config: Config::defaults(),
            origins: BTreeMap::new(),
            declared: Declared::default(),
        },
        keys: keys(),
        referenced: BTreeSet::new(),
    };
    let variables: BTreeMap<_, _> = variables.into_iter().collect();
    if let Some((path, text)) = read_file(overrides.file.as_deref(), default_file)? {
        loader.file(&path, &text, &variables)?;
    }
    refuse_two_variables(&loader.keys, &variables)?;
    for (name, value) in variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        loader.variable(&name, value)?;
    }
    loader.flags(overrides)?;
    loader.finish()
}

/// Reads the configuration file. A named file must exist, the default one need not.
fn read_file(
    named: Option<&Path>,
    default_file: &Path,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = named.unwrap_or(default_file);
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

/// A secret may come from a variable or from a file. With both, one of them would be ignored.
fn refuse_two_variables(
    keys: &[Key],
    variables: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let pairs = keys.iter().filter_map(|it| Some((variable(&it.path), file_variable(&it.path)?)));
    let is_set = |name: &String| variables.get(name).is_some_and(|value| !value.is_empty());
    let twice = pairs.into_iter().find(|(name, file)| is_set(name) && is_set(file));
    twice.map_or(Ok(()), |(variable, file_variable)| {
        Err(ConfigError::SetTwice { variable, file_variable })
    })
}

struct Loader {
    loaded: Loaded,
    keys: Vec<Key>,
    /// Variables that entries of lists refer to.
    referenced: BTreeSet<String>,
}

impl Loader {
    fn file(
        &mut self,
        path: &Path,
        text: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        let file = FileText { path, text, variable: &|name| variables.get(name).cloned() };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| file.line(span.start)),
            message: error.message().to_owned(),
        })?;
        let mut table = table.into_inner();
        if let Some(value) = table.remove(ENDPOINTS) {
            let entries = self.entries(ENDPOINTS, file, &value)?;
            self.loaded.declared.endpoints = endpoints::parse(&entries)?;
        }
        if let Some(value) = table.remove(CONSUMERS) {
            let entries = self.entries(CONSUMERS, file, &value)?;
            self.loaded.declared.consumers = consumers::parse(&entries)?;
        }
        let mut values = Vec::new();
        flatten("", &table, &mut values);
        for (key, at, raw) in values {
            self.set(&key, &raw, Source::File { path: path.to_owned(), line: file.line(at) })?;
        }
        Ok(())
    }

    /// The entries of a list of tables.
    fn entries(
        &mut self,
        list: &'static str,
        file: FileText<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Entry>, ConfigError> {
        let entries = Entry::read_all(list, file, value)?;
        self.referenced.extend(entries.iter().flat_map(Entry::variables).cloned());
        Ok(entries)
    }

    fn variable(&mut self, name: &str, value: String) -> Result<(), ConfigError> {
        let is_other = OTHER_VARIABLES.contains(&name) || self.referenced.contains(name);
        if is_other || name.starts_with(TEST_PREFIX) {
            return Ok(());
        }
        let keys = self.keys.iter().map(|key| key.path.clone());
        let named = |key: &String| file_variable(key).is_some_and(|file| file == name);
        if let Some(key) = keys.clone().find(named) {
            return self.secret_file(&key, name, PathBuf::from(value));
        }
        let known = self.keys.iter().map(|key| key.path.as_str());
        let mut known = known.chain(REMOVED.iter().map(|(key, _)| *key));
        let found = known.find(|key| variable(key) == name).map(str::to_owned);
        match found {
            Some(key) => self.set(&key, &Raw::Text(value), Source::Variable(name.to_owned())),
            None => Err(ConfigError::UnknownVariable {
                name: name.to_owned(),
                suggestion: self.nearest_variable(name),
            }),
        }
    }

    /// Sets a key to the content of a file. An empty path sets nothing, as an empty variable.
    fn secret_file(&mut self, key: &str, name: &str, path: PathBuf) -> Result<(), ConfigError> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let variable = name.to_owned();
        match fs::read_to_string(&path) {
            Ok(text) => self.set(key, &Raw::Lines(text), Source::SecretFile { variable, path }),
            Err(source) => Err(ConfigError::UnreadableSecret { variable, path, source }),
        }
    }

    /// Compares without the common prefix, which would make all names look similar.
    fn nearest_variable(&self, name: &str) -> Option<String> {
        let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        let names = self.keys.iter().map(|key| variable(&key.path));
        let files = self.keys.iter().filter_map(|key| file_variable(&key.path));
        nearest(&bare(name), names.chain(files).map(|it| bare(&it)))
            .map(|it| format!("{PREFIX}{it}"))
    }

    fn flags(&mut self, overrides: &Overrides) -> Result<(), ConfigError> {
        let named = [
            ("listen", "--listen", &overrides.listen),
            ("data_dir", "--data", &overrides.data_dir),
            ("database_url", "--database-url", &overrides.database_url),
        ];
        for (key, flag, value) in named {
            if let Some(value) = value {
                self.set(key, &Raw::Text(value.clone()), Source::Flag(flag))?;
            }
        }
        for assignment in &overrides.set {
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| ConfigError::NotAnAssignment(assignment.clone()))?;
            self.set(key.trim(), &Raw::Text(value.to_owned()), Source::Flag("--set"))?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, raw: &Raw, origin: Source) -> Result<(), ConfigError> {
        match self.loaded.config.set(key, raw) {
            Ok(()) => {
                self.loaded.origins.insert(key.to_owned(), origin);
                Ok(())
            },
            Err(SetError::UnknownKey) => Err(self.unknown(key, origin)),
            Err(SetError::Expected(expected)) => Err(ConfigError::Value {
                key: key.to_owned(),
                origin,
                value: if is_secret(key) { "hidden".to_owned() } else { raw.to_string() },
                expected,
            }),
        }
    }

    fn unknown(&self, key: &str, origin: Source) -> ConfigError {
        let removed = REMOVED.iter().find(|(removed, _)| *removed == key);
        if let Some((key, instead)) = removed {
            return ConfigError::RemovedKey { key: (*key).to_owned(), origin, instead };
        }
        let suggestion = nearest(key, self.keys.iter().map(|key| key.path.clone()));
        ConfigError::UnknownKey { key: key.to_owned(), origin, suggestion }
    }

    fn finish(self) -> Result<Loaded, ConfigError> {
        let Err((key, expected)) = self.loaded.config.check() else { return Ok(self.loaded) };
        let position = self.keys.iter().position(|it| it.path == key);
        let mut values = Vec::new();
        self.loaded.config.values(&mut values);
        let value = position.and_then(|position| values.into_iter().nth(position));
        Err(ConfigError::Value {
            key: key.to_owned(),
            origin: self.loaded.origins.get(key).cloned().unwrap_or(Source::Default),
            value: value.expect("a rule names a key").to_string(),
            expected,
        })
    }
}

/// Lists the leaves of a table with their dotted keys and positions.
fn flatten(prefix: &str, table: &DeTable<'_>, into: &mut Vec<(String, usize, Raw)>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        match value.get_ref().as_table() {
            Some(inner) => flatten(&format!("{path}."), inner, into),
            None => into.push((path, key.span().start, raw(value.get_ref()))),
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    value.as_array().map_or_else(
        || Raw::Text(text(value)),
        |items| Raw::List(items.iter().map(|it| text(it.get_ref())).collect()),
    )
}

fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(value) => value.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => format!("a nested {}", value.type_str()),
    }
}

/// The candidate that is most similar to a mistyped word.
fn nearest(word: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, &candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
