//! The folder on a file server that an account's CDR files go to.

use super::file;
use super::work::{Step, Work, differing};
use kachi_domain::cdr::delivery::{Protocol, Target};
use kachi_store::accounts::Account;

/// Its name among the things applied.
const KIND: &str = "cdr_ftp";

impl Work<'_, '_> {
    /// `cdr_ftp`: left out says nothing, `{}` takes the folder away, anything else is the whole of it.
    pub fn cdr_folder(&mut self, place: &str, entry: &file::Account, account: &Account) -> Step {
        let Some(given) = &entry.cdr_ftp else { return Ok(()) };
        let known = self.tx.cdr_target(account.id)?;
        if *given == file::CdrFtp::default() {
            if known.is_some() {
                self.tx.drop_cdr_target(account.id)?;
                self.outcome.compared(KIND, &account.code, &["taken away"]);
            }
            return Ok(());
        }
        let place = format!("{place}.{KIND}");
        let wanted = self.wanted_folder(&place, given)?;
        match &known {
            None => self.outcome.added(KIND, &account.code),
            Some(k) => {
                let fields = differing(&[
                    ("protocol", k.protocol != wanted.protocol),
                    ("host", k.host != wanted.host),
                    ("port", k.port != wanted.port),
                    ("user", k.user != wanted.user),
                    ("password", k.password != wanted.password),
                    ("private_key_file", k.private_key != wanted.private_key),
                    ("directory", k.directory != wanted.directory),
                    ("fingerprint", k.fingerprint != wanted.fingerprint),
                ]);
                self.outcome.compared(KIND, &account.code, &fields);
            }
        }
        if known.as_ref() != Some(&wanted) {
            self.tx.put_cdr_target(account.id, &wanted, self.how.now)?;
        }
        Ok(())
    }

    /// `protocol` is `ftp`, `ftps` or `sftp`; `tls`, for `ftps` alone, is `explicit` or `implicit`.
    fn protocol(&mut self, place: &str, given: &file::CdrFtp) -> Step<Protocol> {
        let spoken = match given.protocol.as_deref() {
            None | Some("ftp") => Protocol::Ftp,
            Some("ftps") => Protocol::Ftps,
            Some("sftp") => Protocol::Sftp,
            Some(word) => return self.refuse(&format!("{place}.protocol"), format!("\"{word}\" is not one of ftp, ftps, sftp")),
        };
        match (given.tls.as_deref(), spoken) {
            (None, _) | (Some("explicit"), Protocol::Ftps) => Ok(spoken),
            (Some("implicit"), Protocol::Ftps) => Ok(Protocol::FtpsImplicit),
            (Some("explicit" | "implicit"), _) => self.refuse(&format!("{place}.tls"), "is for protocol: ftps alone"),
            (Some(word), _) => self.refuse(&format!("{place}.tls"), format!("\"{word}\" is not one of explicit, implicit")),
        }
    }

    fn wanted_folder(&mut self, place: &str, given: &file::CdrFtp) -> Step<Target> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let protocol = self.protocol(place, given)?;
        let private_key = match &given.private_key_file {
            Some(path) => {
                let read = std::fs::read_to_string(self.folder.join(path)).map_err(|e| format!("{path} cannot be read ({e})"));
                let read = read.and_then(|key| kachi_edges::upload::check_private_key(&key).map(|()| key));
                self.at(&format!("{place}.private_key_file"), read)?
            }
            None => String::new(),
        };
        let password = match &given.password_file {
            Some(path) => self.at(&format!("{place}.password_file"), crate::secrets::password_from(&self.folder.join(path)))?,
            None => text(&given.password),
        };
        let target = Target {
            protocol,
            host: text(&given.host),
            port: given.port.unwrap_or(protocol.default_port()),
            user: text(&given.user),
            password,
            private_key,
            directory: text(&given.directory),
            fingerprint: text(&given.fingerprint),
        };
        match target.check() {
            Ok(()) => Ok(target),
            Err((key, words)) => self.refuse(&format!("{place}.{key}"), words),
        }
    }
}
