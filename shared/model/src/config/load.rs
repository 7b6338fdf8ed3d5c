//! From files and environment to a checked configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{Check, Settings};
use super::decode::decode;
use super::environment;
use super::fault::{Fault, Faults};
use super::flag::{self, Flag};
use super::node::{Node, Value};
use super::overlay::overlay;
use super::source::{Place, Source};
use super::yaml;

/// Files read from a folder such as `agent.d/` or `slo/`; more are refused.
const FOLDER_FILES_MAX: usize = 20_000;

/// What to read.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// `central` or `agent`: gives the prefix of environment variables.
    pub program: &'static str,
    /// The main file.
    pub file: PathBuf,
    /// The user named the file, so that it must be there. A default file may be absent: then every
    /// setting has its default.
    pub file_must_exist: bool,
    /// A folder whose `*.yaml` and `*.yml` are laid over the main file, in the order of their names.
    /// May be absent.
    pub dir: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// Settings of the command line.
    pub flags: Vec<Flag>,
}

impl LoadOptions {
    /// The main file with the process's own environment. Variables that are no UTF-8 are left out.
    #[must_use]
    pub fn new(program: &'static str, file: impl Into<PathBuf>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { program, file: file.into(), file_must_exist: true, dir: None, variables, flags: Vec::new() }
    }

    /// Lays a folder over the main file.
    #[must_use]
    pub fn with_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Has a flag take the place of what is read.
    #[must_use]
    pub fn with_flag(mut self, flag: Flag) -> Self {
        self.flags.push(flag);
        self
    }

    /// Lets the main file be absent.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.file_must_exist = false;
        self
    }
}

/// Reads the main file, the folder, the environment and the flags, each over the one before, and checks the
/// whole. Tells everything that is wrong at once, as far as one fault does not hide another.
pub fn load<T: Settings>(options: &LoadOptions) -> Result<T, Faults> {
    load_with_places(options).map(|(settings, _)| settings)
}

/// As [`load`], with the tree that it was read from: [`Check::into_faults`] finds in it the places of
/// what is found wrong later, such as a file that is not there.
pub fn load_with_places<T: Settings>(options: &LoadOptions) -> Result<(T, Node), Faults> {
    let node = read(options)?;
    let settings: T = decode(&node)?;
    let mut check = Check::new();
    settings.validate(&mut check);
    check.into_faults(&node).into_result()?;
    Ok((settings, node))
}

fn read(options: &LoadOptions) -> Result<Node, Faults> {
    let mut faults = Vec::new();
    let main = match read_file(&options.file) {
        Ok(text) => yaml::parse(&source(&options.file, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !options.file_must_exist => {
            Ok(Node { place: Place::whole(source(&options.file, String::new())), value: Value::Null })
        }
        Err(error) => Err(unreadable(&options.file, &error).into()),
    };
    let mut node = main.unwrap_or_else(|found| {
        faults.extend(found.0);
        Node { place: Place::whole(source(&options.file, String::new())), value: Value::Null }
    });
    for path in options.dir.as_deref().map(yaml_files).transpose()?.unwrap_or_default() {
        let read = read_file(&path).map_err(|error| Faults::from(unreadable(&path, &error)));
        match read.and_then(|text| yaml::parse(&source(&path, text))) {
            Ok(over) => overlay(&mut node, over),
            Err(found) => faults.extend(found.0),
        }
    }
    match environment::parse(&environment::prefix(options.program), &options.variables) {
        Ok(nodes) => nodes.into_iter().for_each(|over| overlay(&mut node, over)),
        Err(found) => faults.extend(found.0),
    }
    options.flags.iter().for_each(|flag| flag::put(&mut node, flag));
    Faults(faults).into_result().map(|()| node)
}

/// Reads a file of settings, refusing one that cannot be one by its size.
pub fn read_file(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > yaml::TEXT_BYTES_MAX as u64 {
        let message = format!("{bytes} bytes are more than the {} allowed", yaml::TEXT_BYTES_MAX);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    std::fs::read_to_string(path)
}

/// The `*.yaml` and `*.yml` of a folder in the order of their names, without hidden ones; none if
/// the folder is absent.
pub fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>, Faults> {
    let listed = match std::fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir, &error).into()),
    };
    let mut files = Vec::new();
    for item in listed {
        let path = item.map_err(|error| unreadable(dir, &error))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden && path.is_file() {
            files.push(path);
        }
    }
    if files.len() > FOLDER_FILES_MAX {
        let message = format!("{} files are more than the {FOLDER_FILES_MAX} allowed", files.len());
        return Err(Fault::at(Place::whole(source(dir, String::new())), message).into());
    }
    files.sort();
    Ok(files)
}

/// A file's text with its name.
#[must_use]
pub fn source(path: &Path, text: String) -> Arc<Source> {
    Arc::new(Source { name: path.display().to_string(), text })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::at(Place::whole(source(path, String::new())), format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::config::Secret;
    use crate::units::HumanDuration;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Example {
        http: Http,
        inputs: Vec<String>,
        lease: Option<HumanDuration>,
        token: Option<Secret>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Http {
        listen: String,
        workers: u32,
    }

    impl Settings for Example {
        fn validate(&self, check: &mut Check) {
            check.section("http", |check| {
                check.require(self.http.workers <= 64, "workers", "at most 64");
            });
        }
    }

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().expect("temporary directory");
            std::fs::create_dir(dir.path().join("conf.d")).expect("created");
            for (name, text) in files {
                std::fs::write(dir.path().join(name), text).expect("written");
            }
            Self(dir)
        }

        fn load(&self, variables: &[(&str, &str)]) -> Result<Example, String> {
            let options = LoadOptions {
                variables: variables.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
                ..LoadOptions::new("central", self.0.path().join("main.yaml"))
                    .with_dir(self.0.path().join("conf.d"))
            };
            let prefix = format!("{}/", self.0.path().display());
            load(&options).map_err(|faults| faults.to_string().replace(&prefix, ""))
        }
    }

    #[test]
    fn a_folder_adds_to_lists_and_changes_single_settings() {
        let files = Files::new(&[
            ("main.yaml", "http: {listen: a, workers: 2}\ninputs: [one]\n"),
            ("conf.d/20-late.yaml", "inputs: [three]\n"),
            ("conf.d/10-early.yml", "http: {workers: 4}\ninputs: [two]\n"),
            ("conf.d/.hidden.yaml", "broken: ["),
            ("conf.d/30-empty.yaml", "# nothing\n"),
        ]);
        let example = files.load(&[]).expect("valid");
        assert_eq!(example.inputs, ["one", "two", "three"]);
        assert_eq!((example.http.listen.as_str(), example.http.workers), ("a", 4));
    }

    #[test]
    fn the_environment_has_the_last_word() {
        let files = Files::new(&[("main.yaml", "http: {listen: a, workers: 2}\n")]);
        let example = files
            .load(&[
                ("GOLDENTIME_CENTRAL__HTTP__LISTEN", "127.0.0.1:1"),
                ("GOLDENTIME_CENTRAL__LEASE", "30s"),
                ("GOLDENTIME_CENTRAL__INPUTS", "[x, y]"),
                ("GOLDENTIME_AGENT__HTTP__LISTEN", "other"),
            ])
            .expect("valid");
        assert_eq!(example.http.listen, "127.0.0.1:1");
        assert_eq!(example.lease, Some(HumanDuration::from_secs(30)));
        assert_eq!(example.inputs, ["x", "y"]);
    }

    #[test]
    fn a_fault_shows_file_line_column_and_the_line() {
        let files = Files::new(&[("main.yaml", "http:\n  lisen: a\n"), ("conf.d/a.yaml", "lease: 30\n")]);
        let fault = files.load(&[("GOLDENTIME_CENTRAL__HTTP__WORKERS", "many")]).expect_err("refused");
        assert_eq!(
            fault,
            "environment variable GOLDENTIME_CENTRAL__HTTP__WORKERS: http.workers: expected a whole number from 0 to 4294967295, found `many`\n\
             conf.d/a.yaml:1:8: lease: `30` has no unit; write for example `30s`\n  \
             1 | lease: 30\n    |        ^\n\
             main.yaml:2:3: http.lisen: unknown key `lisen`; did you mean `listen`?\n  \
             2 |   lisen: a\n    |   ^"
        );
    }

    #[test]
    fn what_validate_refuses_has_its_place_too() {
        let files = Files::new(&[("main.yaml", "http:\n  workers: 65\n")]);
        assert_eq!(
            files.load(&[]).expect_err("refused"),
            "main.yaml:2:12: http.workers: at most 64\n  2 |   workers: 65\n    |            ^"
        );
    }

    #[test]
    fn only_a_file_that_nobody_named_may_be_absent() {
        let files = Files::new(&[]);
        assert!(files.load(&[]).expect_err("refused").starts_with("main.yaml: cannot be read: "));
        let absent = files.0.path().join("main.yaml");
        let options = LoadOptions { variables: Vec::new(), ..LoadOptions::new("central", absent) };
        assert!(load::<Example>(&options.optional()).is_ok());
    }

    #[test]
    fn a_secret_that_cannot_be_read_names_its_setting_and_not_its_value() {
        let files = Files::new(&[("main.yaml", "token:\n  env: GOLDENTIME_NO_SUCH_VARIABLE\n")]);
        let fault = files.load(&[]).expect_err("refused");
        assert!(fault.starts_with("main.yaml:2:3: token: environment variable"), "{fault}");
    }
}
