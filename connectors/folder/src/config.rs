//! The channel's own keys.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sdk::{Channel, Configured, Context, clock::stable_hash, settings::Section};

use crate::FolderChannel;

/// How long a file must be unchanged, unless `quiet_secs` says otherwise.
const QUIET_SECS: i64 = 5;

/// Checked settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The merchant's folder, absolute.
    pub(crate) path: PathBuf,
    /// A folder whose `inbox` is copied at first contact, absolute.
    pub(crate) seed: Option<PathBuf>,
    /// How long a file must be unchanged before it is taken.
    pub(crate) quiet: Duration,
}

impl Settings {
    pub(crate) fn read(section: &mut Section<'_>) -> Option<Self> {
        let path = section.required_string("path", "name the merchant's folder: path = \"/srv/bluefin\"");
        let path = path.and_then(|text| absolute(section, "path", &text));
        let seed = section.string("seed");
        let seed_given = seed.is_some();
        let seed = seed.and_then(|text| absolute(section, "seed", &text));
        let quiet_given = section.has("quiet_secs");
        let quiet = section.integer("quiet_secs", 0..=86_400);
        if seed_given && seed.is_none() || quiet_given && quiet.is_none() {
            return None;
        }
        let quiet = Duration::from_secs(quiet.unwrap_or(QUIET_SECS).unsigned_abs());
        Some(Self { path: path?, seed, quiet })
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.path.join("inbox")
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.path.join("outbox")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.path.join("archive")
    }

    pub(crate) fn aside(&self) -> PathBuf {
        self.path.join("aside")
    }
}

impl Configured for Settings {
    fn account(&self) -> String {
        format!("folder:{}", identity(&self.path).display())
    }

    fn fingerprint(&self) -> u64 {
        stable_hash(&format!("{self:?}"))
    }

    fn connect(&self, context: Context) -> Arc<dyn Channel> {
        FolderChannel::connect(self.clone(), context)
    }
}

fn absolute(section: &mut Section<'_>, key: &str, text: &str) -> Option<PathBuf> {
    let path = section.base().unwrap_or_default().join(text);
    if text.trim().is_empty() || text.contains('\0') || !path.is_absolute() {
        let message = format!("`{}` must be a path that leads from the root", section.name(key));
        section.problem_at(key, message, Some("write it in whole, such as \"/srv/bluefin\""));
        return None;
    }
    Some(path)
}

/// The folder's one name, however it is written: the part that exists with links resolved, the rest by its words. It is
/// the same before the folder is made as after, so that the account does not change at first contact. The file
/// system is asked directly: an account is named before there is a context, and a name harms nothing.
fn identity(path: &Path) -> PathBuf {
    for known in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (known.canonicalize(), path.strip_prefix(known)) {
            return lexical(&found.join(rest));
        }
    }
    lexical(path)
}

fn lexical(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(path: &Path) -> String {
        Settings { path: path.to_owned(), seed: None, quiet: Duration::ZERO }.account()
    }

    #[test]
    fn an_account_is_the_same_before_and_after_and_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().join("real");
        std::fs::create_dir(&real).expect("made");
        std::os::unix::fs::symlink(&real, folder.path().join("link")).expect("linked");
        let before = account(&folder.path().join("link/./x/../shop"));
        assert_eq!(before, account(&real.join("shop")));
        std::fs::create_dir(real.join("shop")).expect("made");
        assert_eq!(before, account(&folder.path().join("link/shop")));
    }
}
