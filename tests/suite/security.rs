//! What keeps secrets, customers' data and the supplier's commands from others. What is not here is where it belongs:
//! the API's sockets and bounds in `api/sockets.rs`, secrets of the configuration in `config.rs`, the folder
//! connector's names and cells in its own tests, file modes in `store.rs` and `src/files.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it cannot go on, and says what it skips"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use portald::{
    http::{HttpLimits, ReqwestHttp},
    store::Changes,
};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sdk::{Http, SecretString, TransportError};

/// A certificate that nobody vouches for, for `localhost`, and its key: both made for this test alone.
const CERTIFICATE: &[u8] = include_bytes!("security/self-signed.cert.der");
const KEY: &[u8] = include_bytes!("security/self-signed.key.der");

/// A server that would answer anybody over TLS; counts the requests that reached it.
fn tls_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reached = Arc::new(AtomicUsize::new(0));
    let (config, count) = (Arc::new(config), reached.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut head = [0; 512];
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                count.fetch_add(1, Ordering::SeqCst);
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.flush();
            }
        }
    });
    (address, reached)
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_request() {
    let (address, reached) = tls_server();
    let http = ReqwestHttp::new(HttpLimits::default()).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let request = http::Request::get(format!("https://{host}:{}/a", address.port()))
            .header("x-auth-token", "hush")
            .body(Bytes::new())
            .unwrap();
        match http.send(request).await {
            Err(TransportError::Connect(why)) => assert!(why.contains("certificate"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);

    // The server is a good one: who trusts its certificate reaches it. So it is the trust that was refused above.
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, std::net::TcpStream::connect(address).unwrap());
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(reached.load(Ordering::SeqCst), 1);
}

#[test]
fn rotated_credentials_are_not_shown() {
    let tokens = vec![("m".to_owned(), "shop".to_owned(), SecretString::from("shprt_hush".to_owned()))];
    let shown = format!("{:?}", Changes { tokens, ..Changes::default() });
    assert!(!shown.contains("hush") && shown.contains("shop"), "{shown}");
}

/// The figure that the README tells, where systemd is at hand to compute it.
#[test]
fn the_unit_is_as_closed_as_the_readme_says() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/portald.service");
    let asked =
        Command::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=15", unit]).output();
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze is not here ({error})");
            return;
        }
    };
    let told = String::from_utf8_lossy(&answer.stdout);
    let Some(exposure) = told.split("Overall exposure level for portald.service: ").nth(1) else {
        eprintln!(
            "SKIPPED: this systemd-analyze tells no figure: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        return;
    };
    assert!(answer.status.success(), "more exposed than 1.5: {exposure}");
}
