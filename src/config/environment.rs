//! Where secrets come from: the process's environment, files beside the configuration, systemd's credentials.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
};

use sdk::{SecretString, settings::Secrets};

/// The most that a secret's file may hold, in bytes.
const LARGEST_SECRET: u64 = 64 * 1024;

/// The environment that a configuration is read in. Tests give their own variables.
#[derive(Default)]
pub struct Environment {
    /// `None`: those of the process.
    variables: Option<BTreeMap<String, OsString>>,
}

impl Environment {
    /// The variables of this process.
    pub fn process() -> Self {
        Self { variables: None }
    }

    /// Exactly these variables.
    pub fn of<K: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables: Some(variables) }
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            // A name that no variable can have would panic in some systems' look-up.
            None if name.is_empty() || name.contains(['=', '\0']) => None,
            None => std::env::var_os(name),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// An environment seen from one configuration's folder.
pub(super) struct Places<'e> {
    pub(super) environment: &'e Environment,
    pub(super) base: PathBuf,
}

impl Secrets for Places<'_> {
    fn env(&self, name: &str) -> Result<SecretString, String> {
        let value = self
            .environment
            .variable(name)
            .ok_or_else(|| format!("the environment variable `{name}` is not set"))?;
        let value =
            value.into_string().map_err(|_| format!("the environment variable `{name}` is not UTF-8"))?;
        filled(value, || format!("the environment variable `{name}`"))
    }

    fn file(&self, path: &str) -> Result<SecretString, String> {
        let path = self.base.join(path);
        if let Some(mode) = world_readable(&path) {
            return Err(format!(
                "the file {} can be read by everyone (mode {mode:04o}); run: chmod o-rwx {}",
                path.display(),
                path.display()
            ));
        }
        read(&path)
    }

    fn credential(&self, name: &str) -> Result<SecretString, String> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(format!("`{name}` is no name of a credential"));
        }
        let folder = self.environment.variable("CREDENTIALS_DIRECTORY").ok_or_else(|| {
            format!("the credential `{name}` is not there: $CREDENTIALS_DIRECTORY is not set; systemd sets it with LoadCredential={name}:…")
        })?;
        read(&Path::new(&folder).join(name))
    }

    fn base(&self) -> Option<PathBuf> {
        Some(self.base.clone())
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let about = fs::metadata(path).map_err(|error| format!("the file {shown} cannot be read: {error}"))?;
    if !about.is_file() {
        return Err(format!("{shown} is not a plain file"));
    }
    if about.len() > LARGEST_SECRET {
        return Err(format!("the file {shown} has {} bytes: too large for a secret", about.len()));
    }
    let bytes = fs::read(path).map_err(|error| format!("the file {shown} cannot be read: {error}"))?;
    let mut text = String::from_utf8(bytes).map_err(|_| format!("the file {shown} is not UTF-8"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    filled(text, || format!("the file {shown}"))
}

fn filled(text: String, what: impl Fn() -> String) -> Result<SecretString, String> {
    if text.trim().is_empty() {
        return Err(format!("{} is empty", what()));
    }
    // It goes into a header or a form: a line break there is another header, or an error that nobody understands.
    if text.contains(char::is_control) {
        return Err(format!("{} holds a line break or a control character: a secret is one line", what()));
    }
    Ok(SecretString::from(text))
}

#[cfg(unix)]
fn world_readable(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn world_readable(_: &Path) -> Option<u32> {
    None
}
