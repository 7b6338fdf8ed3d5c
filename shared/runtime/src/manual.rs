//! Manual pages and shell completions, made from the definition of the command line itself, so that
//! they cannot say anything else. Packages carry both; they are made when a package is built.

use std::io::{self, Write};
use std::path::Path;

use clap::Command;
pub use clap_complete::Shell;

/// Shells whose completions packages carry, and the path of each below `/usr/share`.
const PACKAGED: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/{}"),
    (Shell::Zsh, "zsh/vendor-completions/_{}"),
    (Shell::Fish, "fish/vendor_completions.d/{}.fish"),
];

/// Section of the manual for commands that administrators use.
const SECTION: &str = "8";

/// Writes one shell's completions of `command`.
pub fn completions(mut command: Command, shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    out.write_all(&text)
}

/// Writes manual pages (the program's and each command's) and completions below `share`, which stands
/// for `/usr/share`.
pub fn write_all(command: &Command, share: &Path) -> io::Result<()> {
    for (shell, place) in PACKAGED {
        let path = share.join(place.replace("{}", command.get_name()));
        std::fs::create_dir_all(path.parent().unwrap_or(share))?;
        completions(command.clone(), shell, &mut std::fs::File::create(path)?)?;
    }
    let folder = share.join("man").join(format!("man{SECTION}"));
    std::fs::create_dir_all(&folder)?;
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    write_pages(&command, &folder)
}

/// Writes the page of a command, then those of its own commands, down to the last.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    clap_mangen::Man::new(command.clone()).section(SECTION).manual("Goldentime").generate_to(folder)?;
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.try_for_each(|command| write_pages(command, folder))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn program() -> Command {
        let create = Command::new("create").about("Makes one").arg(Arg::new("project").long("project"));
        Command::new("goldentime-test")
            .about("Tests.")
            .version("1.2.3")
            .subcommand(Command::new("token").about("Tokens.").subcommand(create))
            .subcommand(Command::new("secret").hide(true))
    }

    #[test]
    fn every_command_that_is_shown_has_a_page_of_its_own() {
        let share = tempfile::tempdir().expect("folder");
        write_all(&program(), share.path()).expect("written");
        let read = |name: &str| std::fs::read_to_string(share.path().join("man/man8").join(name));
        assert!(read("goldentime-test.8").expect("page").contains("1.2.3"));
        assert!(read("goldentime-test-token-create.8").expect("page").contains("project"));
        assert!(read("goldentime-test-secret.8").is_err());
    }

    #[test]
    fn completions_of_three_shells_know_the_commands() {
        let share = tempfile::tempdir().expect("folder");
        write_all(&program(), share.path()).expect("written");
        for (_, place) in PACKAGED {
            let path = share.path().join(place.replace("{}", "goldentime-test"));
            let text = std::fs::read_to_string(&path).expect("written");
            assert!(text.contains("token") && text.contains("project"), "{}", path.display());
        }
    }
}
