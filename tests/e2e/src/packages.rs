//! Packages, and a fresh Debian to install them in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use goldentime_testkit::programs::program;

/// Both programs.
pub const PROGRAMS: [&str; 2] = ["goldentime-agent", "goldentime-central"];

/// The project's folder.
#[must_use]
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_else(|_| "../..".into())
}

/// Runs a command to its end and gives what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    Ok(said)
}

/// Packages of one version, made of the programs under test.
pub struct Packages {
    folder: PathBuf,
    version: String,
}

impl Packages {
    /// Makes them as `make dist` does; only the version is another.
    pub fn make(version: &str) -> Result<Self> {
        let programs = program(PROGRAMS[0])?;
        let bin = programs.parent().context("a program lies in a folder")?;
        let folder = project().join("target/package-test").join(version);
        let mut dist = Command::new(project().join("scripts/dist"));
        dist.args(["--fast", "--version", version, "--bin"]).arg(bin).arg("--out").arg(&folder);
        run(&mut dist)?;
        Ok(Self { folder, version: version.to_owned() })
    }

    /// The Debian package of a program.
    #[must_use]
    pub fn deb(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}_{}-1_amd64.deb", self.version))
    }

    /// The RPM of a program.
    #[must_use]
    pub fn rpm(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}-{}-1.x86_64.rpm", self.version))
    }
}

/// A fresh Debian below a folder, removed in the end. Needs root.
pub struct Root(tempfile::TempDir);

impl Root {
    /// Unpacks one. It is made once, by mmdebstrap from Debian's own archive, and kept in `target`.
    pub fn unpack() -> Result<Self> {
        let folder = project().join("target/package-test");
        std::fs::create_dir_all(&folder)?;
        let image = folder.join("root.tar");
        if !image.exists() {
            let made = folder.join(".root.tar.partial");
            let mut make = Command::new("mmdebstrap");
            make.args([
                "--quiet",
                "--mode=root",
                "--format=tar",
                "--variant=minbase",
                "--include=adduser",
                "bookworm",
            ]);
            run(make.arg(&made)).context("mmdebstrap needs root and Debian's archive")?;
            std::fs::rename(&made, &image)?;
        }
        let root = tempfile::Builder::new().prefix("root-").tempdir_in(&folder)?;
        run(Command::new("tar").arg("-xf").arg(&image).arg("-C").arg(root.path()))?;
        // A temporary folder is for its owner; a root is for the users in it.
        std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(Self(root))
    }

    /// Where a path of this Debian is.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside.trim_start_matches('/'))
    }

    /// A command line that runs a program in here as a user.
    #[must_use]
    pub fn as_user(&self, user: &str, program: &[&str]) -> Vec<String> {
        let root = self.0.path().display().to_string();
        let chroot = ["chroot".to_owned(), format!("--userspec={user}:{user}"), root];
        chroot.into_iter().chain(program.iter().map(|part| (*part).to_owned())).collect()
    }

    /// Runs a command line in here as root.
    pub fn run(&self, line: &str) -> Result<String> {
        run(Command::new("chroot")
            .arg(self.0.path())
            .args(["/bin/sh", "-ec", line])
            .env("LC_ALL", "C")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    }

    /// Installs or upgrades packages, as `dpkg -i` does.
    pub fn install(&self, packages: &Packages) -> Result<String> {
        for name in PROGRAMS {
            let deb = packages.deb(name);
            std::fs::copy(&deb, self.path(&format!("/tmp/{name}.deb")))
                .with_context(|| format!("{deb:?}"))?;
        }
        self.run("DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/goldentime-*.deb </dev/null 2>&1")
    }
}
