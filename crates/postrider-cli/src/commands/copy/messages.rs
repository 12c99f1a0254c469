//! The messages of `postrider copy`.

use std::fmt::Write as _;

use postrider_store::transfer::{CopyRefusal, CopyReport, TransferOpenError};

use super::{location::Location, secrets::FoundSecret};
use crate::failure::{self, Advice};

const INFALLIBLE: &str = "writing to a string cannot fail";

/// The store cannot be copied from or to.
pub(super) fn unusable(store: &Location, error: TransferOpenError) -> anyhow::Error {
    let (message, hint) = match error {
        TransferOpenError::Store(error) => {
            return failure::of_store(error).context(store.to_string());
        },
        TransferOpenError::Missing => (
            format!("{store} contains no installation"),
            "set --from to the data folder or database of a server",
        ),
        TransferOpenError::InUse(nodes) => (
            format!("{store} is in use by {}", nodes.join(", ")),
            "stop these servers first; a killed server counts as running until its lease expires \
             after `limits.node_lease`",
        ),
    };
    Advice { message, hint: hint.to_owned(), source: None }.into()
}

pub(super) fn refused(from: &Location, to: &Location, refusal: CopyRefusal) -> Advice {
    let (message, hint) = match refusal {
        CopyRefusal::Same => (
            format!("{from} and {to} are the same installation"),
            "set --to to a new folder or an empty database".to_owned(),
        ),
        CopyRefusal::Occupied => (
            format!("{to} is not empty"),
            format!("{}, or choose another target", how_to_empty(to)),
        ),
        CopyRefusal::OtherCopy => (
            format!("{to} contains an unfinished copy of another store than {from}"),
            format!("finish that copy with its --from, or {}", how_to_empty(to)),
        ),
        CopyRefusal::Used => (
            format!("a server has used {from} since the copy to {to} began"),
            format!("stop the server, {}, and start the copy again", how_to_empty(to)),
        ),
    };
    Advice { message, hint, source: None }
}

/// The target differs from the source after the copy.
pub(super) fn differs(to: &Location) -> Advice {
    Advice {
        message: format!("{to} differs from the source after the copy"),
        hint: format!("{}, and copy again; if it happens again, report it", how_to_empty(to)),
        source: None,
    }
}

/// How to empty the target.
fn how_to_empty(to: &Location) -> String {
    match to {
        Location::Folder(folder) => format!("delete {}", folder.display()),
        Location::Database(_) => {
            "empty the database (DROP SCHEMA public CASCADE; CREATE SCHEMA public)".to_owned()
        },
    }
}

/// The numbers of records in both stores, side by side.
pub(super) fn table(from: &Location, to: &Location, copied: &CopyReport) -> String {
    let mut text = format!("copied {from} to {to}\n\n{:<30}{:>14}{:>14}\n", "", "from", "to");
    for ((name, from), (_, to)) in copied.from.rows().into_iter().zip(copied.to.rows()) {
        let mark = if from == to { "" } else { "  differs" };
        writeln!(text, "{name:<30}{from:>14}{to:>14}{mark}").expect(INFALLIBLE);
    }
    if copied.renamed > 0 {
        writeln!(
            text,
            "\n{} messages and attempts got new ids: two nodes had created them in the same \
             millisecond with the same counter, which a data folder cannot represent.",
            copied.renamed
        )
        .expect(INFALLIBLE);
    }
    text
}

/// What the user has to do next.
pub(super) fn next_steps(from: &Location, to: &Location, found: &[FoundSecret]) -> String {
    let start = match to {
        Location::Folder(folder) => {
            format!("Start the server with: postrider serve --data {}", folder.display())
        },
        Location::Database(_) => format!(
            "Start each node with: postrider serve --database-url {to}\n\
             (add the user and password; each node has its own data folder for secrets)"
        ),
    };
    let secrets: String = found.iter().map(|found| secret(found, to)).collect();
    format!(
        "\n{start}\nIt needs the same secrets as before:\n{secrets}\
         Do not start a server on {from} again: it would deliver the pending messages a second time.\n"
    )
}

/// Where the new server gets the secret from.
fn secret(found: &FoundSecret, to: &Location) -> String {
    let key = found.key();
    match (&found.file, found.location(), to) {
        (Some(_), _, Location::Folder(_)) => format!("  {key}: copied to the folder\n"),
        (Some(file), _, Location::Database(_)) => format!(
            "  {key}: copy {} to the data folder of each node, or configure its content\n",
            file.display()
        ),
        (None, Some(location), _) => format!("  {key}: {location}\n"),
        (None, None, _) => {
            format!("  {key}: not found here; configure the one that was used before\n")
        },
    }
}
