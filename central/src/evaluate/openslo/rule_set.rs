//! The rules of a folder, whole or not at all.

use std::path::Path;
use std::sync::Arc;

use goldentime_model::config::load::{read_file, source, yaml_files};
use goldentime_model::config::{Fault, Faults, Place, Source};

use super::super::budget::Objective;
use super::super::rule::Rule;
use super::catalog::Catalog;
use super::compile::compile;
use super::read::documents;

/// Text of all files of a folder together; ten thousand SLOs have some twenty megabytes.
const FOLDER_BYTES_MAX: usize = 256 << 20;

/// Everything that the SLO files of a folder say.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// What is judged. Names are unique.
    pub rules: Vec<Arc<Rule>>,
    /// What the SLOs promise, where a budget of it is kept.
    pub objectives: Vec<Arc<Objective>>,
    /// The SLOs that the rules come from, those without rules too.
    pub slos: Vec<SloSummary>,
    /// Notification targets; each name should be that of a channel.
    pub targets: Vec<NotificationTarget>,
    /// What is allowed and yet surely not meant.
    pub warnings: Vec<Fault>,
    /// How many files were read.
    pub files: usize,
}

/// An SLO, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloSummary {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.displayName`.
    pub display_name: Option<String>,
    /// `spec.service`.
    pub service: String,
    /// `spec.description`.
    pub description: Option<String>,
    /// How many rules it gives.
    pub rules: usize,
}

/// An AlertNotificationTarget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationTarget {
    /// `metadata.name`: the name of the channel.
    pub name: Arc<str>,
    /// `spec.target`: what kind of channel it is, in words.
    pub kind: String,
    /// `spec.description`.
    pub description: Option<String>,
    /// Where it was written.
    pub place: Place,
}

impl RuleSet {
    /// Reads the `*.yaml` and `*.yml` of a folder, without its subfolders. An absent folder is an
    /// empty set.
    ///
    /// Blocks on the file system. On an error nothing was loaded; it holds everything that is wrong
    /// with any file.
    pub fn load_dir(dir: &Path) -> Result<Self, Faults> {
        Self::compile(&read_dir(dir)?)
    }

    /// Reads one file, or a folder as [`Self::load_dir`] does.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        Self::compile(&Self::sources(path)?)
    }

    /// The text of one file, or those of a folder.
    pub fn sources(path: &Path) -> Result<Vec<Arc<Source>>, Faults> {
        if path.is_dir() { read_dir(path) } else { Ok(vec![read(path)?]) }
    }

    /// Compiles texts that were read already.
    pub fn compile(sources: &[Arc<Source>]) -> Result<Self, Faults> {
        Self::compile_over(&[], sources)
    }

    /// Compiles texts, and beside them those of the `starter` texts whose SLO they do not have.
    pub fn compile_over(starter: &[Arc<Source>], sources: &[Arc<Source>]) -> Result<Self, Faults> {
        let (mut catalog, mut faults) = (Catalog::default(), Vec::new());
        for source in sources {
            for document in documents(source, &mut faults) {
                catalog.add(document, &mut faults);
            }
        }
        for source in starter {
            let documents = documents(source, &mut faults);
            if !documents.iter().any(|document| catalog.has_slo(document)) {
                documents.into_iter().for_each(|document| catalog.add(document, &mut faults));
            }
        }
        // References into a file that could not be read would only be told wrongly as missing.
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let mut set = compile(&catalog, &mut faults);
        set.files = sources.len();
        faults.dedup();
        Faults(faults).into_result().map(|()| set)
    }
}

/// The texts of a folder, in the order of their names.
pub(super) fn read_dir(dir: &Path) -> Result<Vec<Arc<Source>>, Faults> {
    let (mut sources, mut faults, mut bytes) = (Vec::new(), Vec::new(), 0);
    for path in yaml_files(dir)? {
        match read(&path) {
            Ok(text) => {
                bytes += text.text.len();
                sources.push(text);
            }
            Err(found) => faults.extend(found.0),
        }
        if bytes > FOLDER_BYTES_MAX {
            let message = format!("the files hold more than the {FOLDER_BYTES_MAX} bytes allowed");
            return Err(Fault::at(Place::whole(source(dir, String::new())), message).into());
        }
    }
    Faults(faults).into_result().map(|()| sources)
}

fn read(path: &Path) -> Result<Arc<Source>, Faults> {
    match read_file(path) {
        Ok(text) => Ok(source(path, text)),
        Err(error) => {
            let place = Place::whole(source(path, String::new()));
            Err(Fault::at(place, format!("cannot be read: {error}")).into())
        }
    }
}
