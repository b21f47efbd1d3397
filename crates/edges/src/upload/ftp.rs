//! FTP and FTPS, explicit and implicit. The control connection was dialled by us; a data connection goes to the same address
//! whatever the server's answer to PASV or EPSV says, and to no port of the system's.

use super::{BLOCK_BYTES, Size, Step, timed, tls};
use crate::outbound::Outbound;
use kachi_domain::cdr::delivery::{Protocol, Target};
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;
use suppaftp::tokio::AsyncRustlsFtpStream;
use suppaftp::types::{FileType, Response};
use suppaftp::{FtpError, Mode, Status};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A login, in the account's folder.
pub struct Ftp {
    stream: AsyncRustlsFtpStream,
    timeout: Duration,
}

impl Ftp {
    /// Logs in over a connection just made.
    pub async fn open(connection: TcpStream, target: &Target, timeout: Duration) -> Step<Ftp> {
        let server = connection.peer_addr().map_err(|e| format!("connecting: {e}"))?;
        let stream = timed("greeting", timeout, AsyncRustlsFtpStream::connect_with_stream(connection)).await?;
        let mut stream = with_data_connections(stream, server, timeout);
        if target.protocol == Protocol::Ftps {
            let connector = tls::connector(&target.fingerprint)?;
            stream = timed("securing the connection", timeout, stream.into_secure(connector, &target.host)).await?;
        }
        Ftp::log_in(stream, target, timeout).await
    }

    /// Logs in to a server that speaks TLS from the first byte on.
    pub async fn open_implicit(outbound: &Outbound, target: &Target, timeout: Duration) -> Step<Ftp> {
        let host = target.host.as_str();
        let greet = |server: SocketAddr| async move {
            let connector = tls::connector(&target.fingerprint)?;
            let greeted = AsyncRustlsFtpStream::connect_secure_implicit(server, connector, host).await;
            Ok::<_, String>((greeted.map_err(|e| format!("securing the connection: {e}"))?, server))
        };
        let (stream, server) = timed("connecting", timeout, outbound.reach(host, target.port, greet)).await?;
        let mut stream = with_data_connections(stream, server, timeout);
        for command in ["PBSZ 0", "PROT P"] {
            timed("securing the data", timeout, stream.custom_command(command, &[Status::CommandOk])).await?;
        }
        Ftp::log_in(stream, target, timeout).await
    }

    async fn log_in(mut stream: AsyncRustlsFtpStream, target: &Target, timeout: Duration) -> Step<Ftp> {
        timed("logging in", timeout, stream.login(target.user.as_str(), target.password.as_str())).await?;
        if !target.directory.is_empty() {
            timed("entering the folder", timeout, stream.cwd(&target.directory)).await?;
        }
        timed("choosing binary", timeout, stream.transfer_type(FileType::Binary)).await?;
        Ok(Ftp { stream, timeout })
    }

    /// Uploads what is left of the file.
    pub async fn store(&mut self, name: &str, file: &mut std::fs::File) -> Step<()> {
        let mut upload = timed("beginning the upload", self.timeout, self.stream.put_with_stream(name)).await?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let n = file.read(&mut block).map_err(|e| format!("reading the file: {e}"))?;
            if n == 0 {
                break;
            }
            timed("uploading", self.timeout, upload.write_all(&block[..n])).await?;
        }
        timed("ending the upload", self.timeout, upload.finish()).await
    }

    /// How large a file is.
    pub async fn size(&mut self, name: &str) -> Step<Size> {
        let told = tokio::time::timeout(self.timeout, self.stream.size(name)).await;
        match told.map_err(|_| "asking for the size: no answer".to_owned())? {
            Ok(n) => Ok(Size::Bytes(n as u64)),
            Err(FtpError::UnexpectedResponse(Response { status: Status::FileUnavailable, .. })) => Ok(Size::Absent),
            Err(FtpError::UnexpectedResponse(_) | FtpError::BadResponse) => Ok(Size::Unknown),
            Err(e) => Err(format!("asking for the size: {e}")),
        }
    }

    /// Renames a file.
    pub async fn rename(&mut self, from: &str, to: &str) -> Step<()> {
        timed("renaming", self.timeout, self.stream.rename(from, to)).await
    }

    /// Removes a file.
    pub async fn remove(&mut self, name: &str) -> Step<()> {
        timed("removing", self.timeout, self.stream.rm(name)).await
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        let _ = timed("leaving", self.timeout, self.stream.quit()).await;
    }
}

/// Data connections are ours to make: by PASV, or by EPSV where the server has an IPv6 address.
fn with_data_connections(stream: AsyncRustlsFtpStream, server: SocketAddr, timeout: Duration) -> AsyncRustlsFtpStream {
    let mut stream = stream.passive_stream_builder(move |told| Box::pin(data_connection(server, told, timeout)));
    stream.set_mode(if server.is_ipv4() { Mode::Passive } else { Mode::ExtendedPassive });
    stream
}

/// Only the port of the server's answer counts: an address in it would let the server send us to any host of our network.
async fn data_connection(server: SocketAddr, told: SocketAddr, timeout: Duration) -> suppaftp::FtpResult<TcpStream> {
    let failed = |kind, words: String| FtpError::ConnectionError(std::io::Error::new(kind, words));
    if told.port() < 1024 {
        let words = format!("the server names port {} for data, one of the system's", told.port());
        return Err(failed(std::io::ErrorKind::PermissionDenied, words));
    }
    let to = SocketAddr::new(server.ip(), told.port());
    match tokio::time::timeout(timeout, TcpStream::connect(to)).await {
        Ok(connected) => connected.map_err(|e| failed(e.kind(), format!("data connection to {to}: {e}"))),
        Err(_) => Err(failed(std::io::ErrorKind::TimedOut, format!("data connection to {to}: no answer"))),
    }
}
