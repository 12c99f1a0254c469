//! What `postrider copy` says to people.

use std::fmt::Write as _;

use postrider_store::transfer::{CopyRefusal, CopyReport, TransferOpenError};

use super::{Store, secrets::Found};
use crate::failure::{self, Advice};

const WRITES: &str = "writing to a string does not fail";

/// A store that cannot be copied from or to.
pub(super) fn unusable(store: &Store, error: TransferOpenError) -> anyhow::Error {
    let (message, hint) = match error {
        TransferOpenError::Store(error) => {
            return failure::of_store(error).context(store.to_string());
        },
        TransferOpenError::Missing => (
            format!("{store} holds nothing to copy"),
            "--from names the data folder or the database that a server has used",
        ),
        TransferOpenError::InUse(nodes) => (
            format!("{store} is in use by {}", nodes.join(", ")),
            "stop these servers first; one that was killed counts as running until its lease \
             has ended, half a minute later",
        ),
    };
    Advice { message, hint: hint.to_owned(), source: None }.into()
}

pub(super) fn refused(from: &Store, to: &Store, refusal: CopyRefusal) -> Advice {
    let (message, hint) = match refusal {
        CopyRefusal::Same => (
            format!("{from} and {to} are the same installation"),
            "--to names a new folder or an empty database".to_owned(),
        ),
        CopyRefusal::Occupied => {
            (format!("{to} is not empty"), format!("{}, or choose another target", emptied(to)))
        },
        CopyRefusal::OtherCopy => (
            format!("{to} holds an unfinished copy of something else than {from}"),
            format!("finish that one with the same --from as before, or {}", emptied(to)),
        ),
        CopyRefusal::Used => (
            format!("{from} was used by a server since the copy to {to} began"),
            format!("stop the server, {}, and copy again from the beginning", emptied(to)),
        ),
    };
    Advice { message, hint, source: None }
}

/// What was copied is not what is there.
pub(super) fn differs(to: &Store) -> Advice {
    Advice {
        message: format!("{to} does not have what was copied"),
        hint: format!("{}, copy again, and report it if it happens again", emptied(to)),
        source: None,
    }
}

/// How to begin anew with the target.
fn emptied(to: &Store) -> String {
    match to {
        Store::Folder(folder) => format!("delete {}", folder.display()),
        Store::Database(_) => {
            "empty the database (DROP SCHEMA public CASCADE; CREATE SCHEMA public)".to_owned()
        },
    }
}

/// The counts of both sides beside each other.
pub(super) fn table(from: &Store, to: &Store, copied: &CopyReport) -> String {
    let mut text = format!("{from} was copied to {to}\n\n{:<30}{:>14}{:>14}\n", "", "from", "to");
    for ((name, from), (_, to)) in copied.from.rows().into_iter().zip(copied.to.rows()) {
        let mark = if from == to { "" } else { "  differs" };
        writeln!(text, "{name:<30}{from:>14}{to:>14}{mark}").expect(WRITES);
    }
    if copied.renamed > 0 {
        writeln!(
            text,
            "\n{} messages and attempts have a new id: a folder cannot hold two that were made by \
             two nodes in the same moment with the same counter.",
            copied.renamed
        )
        .expect(WRITES);
    }
    text
}

/// What is left to do for the user.
pub(super) fn next_steps(from: &Store, to: &Store, found: &[Found]) -> String {
    let start = match to {
        Store::Folder(folder) => {
            format!("Start the server with: postrider serve --data {}", folder.display())
        },
        Store::Database(_) => format!(
            "Start each node with: postrider serve --database-url {to}\n\
             (with the user and the password; each has a data folder of its own for secrets)"
        ),
    };
    let secrets: String = found.iter().map(|it| secret(it, to)).collect();
    format!(
        "\n{start}\nIt needs the secrets that the installation had before:\n{secrets}\
         Do not start a server on {from} again: it would deliver what is pending a second time.\n"
    )
}

/// Where a server gets the secret from.
fn secret(found: &Found, to: &Store) -> String {
    let key = found.key();
    match (&found.file, found.place(), to) {
        (Some(_), _, Store::Folder(_)) => format!("  {key}: kept in the folder\n"),
        (Some(file), _, Store::Database(_)) => format!(
            "  {key}: copy {} to the data folder of each node, or give what is in it\n",
            file.display()
        ),
        (None, Some(place), _) => format!("  {key}: {place}\n"),
        (None, None, _) => {
            format!("  {key}: not found here; give the one that was given before\n")
        },
    }
}
