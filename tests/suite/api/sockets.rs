//! Real sockets: the Unix socket and its file, TCP and its token, the command line's program.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Output, Stdio},
};

use portald::api::{bind_tcp, bind_unix};
use sdk::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    process::Command,
};
use tokio_util::sync::CancellationToken;

use super::shop::Shop;

async fn exchange(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn the_unix_socket_keeps_its_mode_and_only_a_stale_one_is_replaced() {
    let shop = Shop::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/portald.sock");
    let server = bind_unix(&path, 0o660).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.serve(shop.router(), shutdown.clone()));

    let answer = exchange(UnixStream::connect(&path).await.unwrap(), &get("/v1/orders", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let refused = bind_unix(&path, 0o660).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);

    // An idle connection does not hold up the end.
    let _idle = UnixStream::connect(&path).await.unwrap();
    shutdown.cancel();
    serving.await.unwrap();
    assert!(!path.exists());

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a stale socket");
    drop(bind_unix(&path, 0o660).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(bind_unix(&path, 0o660).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn tcp_needs_the_token_for_all_but_health() {
    let shop = Shop::new().await;
    let server = bind_tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let token = SecretString::from("s3cret".to_owned());
    let serving = tokio::spawn(server.serve(shop.router(), token, shutdown.clone()));
    let ask = async |path: &str, headers: &str| {
        exchange(TcpStream::connect(address).await.unwrap(), &get(path, headers)).await
    };
    for headers in [
        "",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: Bearer s3cre\r\n",
        "authorization: Bearer s3cret2\r\n",
        "authorization: Basic s3cret\r\n",
        "authorization: s3cret\r\n",
        "authorization: Bearer s3cret\r\nauthorization: Bearer wrong\r\n",
    ] {
        for path in ["/v1/orders", "/metrics", "/readyz", "/nothing", "/healthz/../v1/orders"] {
            let answer = ask(path, headers).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{path} {headers}: {answer}");
            assert!(answer.contains("application/problem+json") && !answer.contains("s3cret"), "{answer}");
        }
    }
    let answer = ask("/v1/orders", "authorization: bearer s3cret\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(ask("/healthz", "").await.starts_with("HTTP/1.1 200"));
    shutdown.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_body_that_lies_about_its_length_is_bounded() {
    let shop = Shop::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(bind_unix(&path, 0o660).unwrap().serve(shop.router(), shutdown.clone()));
    let head = "POST /v1/orders/m.shop.1/ship HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let stream = UnixStream::connect(&path).await.unwrap();
    let answer = exchange(stream, &format!("{head}content-length: 209715200\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    // Chunked: no length is told, the bound holds all the same.
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..20 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    shutdown.cancel();
    serving.await.unwrap();
}

async fn portald(socket: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portald"))
        .arg("--socket")
        .arg(socket)
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_command_line_speaks_to_the_daemon() {
    let shop = Shop::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(bind_unix(&path, 0o660).unwrap().serve(shop.router(), shutdown.clone()));
    let done = async |arguments: &str| {
        let output = portald(&path, arguments).await;
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {failed}");
        String::from_utf8(output.stdout).unwrap()
    };
    let fails = async |arguments: &str, code: i32| {
        let output = portald(&path, arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    };

    assert!(done("status").await.contains("Acme Supply"));
    let list = done("orders list").await;
    assert!(list.lines().next().unwrap().starts_with("ID") && list.contains("3 × A1"), "{list}");
    let json: serde_json::Value = serde_json::from_str(&done("orders list --json --limit 1").await).unwrap();
    assert_eq!(json["orders"].as_array().unwrap().len(), 1);
    assert!(json["next"].is_string());
    assert!(done("orders show m.shop.1").await.contains("Ada 1"));
    assert!(done("orders why m.shop.3").await.contains("Held: payment"));
    assert!(done("orders ack m.shop.1").await.contains("in_work"));

    let ship = "orders ship m.shop.1 --carrier UPS --tracking 1Z1 --line l1=1 --label-cost 12.50USD --shipped-at 2026-10-25";
    assert!(done(ship).await.contains("p1: UPS 1Z1"));
    done(ship).await;
    let order: serde_json::Value = serde_json::from_str(&done("orders show m.shop.1 --json").await).unwrap();
    assert_eq!(order["shipments"].as_array().unwrap().len(), 1, "the same parcel told twice is one");
    assert_eq!(order["shipments"][0]["label_cost"]["amount"], "12.50");
    let other = "orders ship m.shop.1 --carrier UPS --tracking 1Z1 --line l1=1 --service Air";
    assert!(fails(other, 1).await.contains("orders track"));
    done("orders track m.shop.1 p1 --tracking 1Z1B").await;
    done("orders void m.shop.1 p1 --reason wrong").await;
    done("orders split m.shop.1 --line l1=1").await;
    done("orders hold m.shop.1-2 --reason stock").await;
    done("orders release m.shop.1-2").await;
    done("orders edit m.shop.1-2 --line l2=1 --add GIFT=1").await;
    done("orders release m.shop.3 --override payment").await;
    assert!(fails("orders reimport m.shop.4", 1).await.contains("no line of this order is ours"));
    done("orders ship m.shop.2 --carrier UPS --tracking 1Z9").await;
    let again = "orders ship m.shop.2 --carrier UPS --tracking 1Z9";
    done("orders void m.shop.2 p1 --reason torn").await;
    assert!(fails(again, 1).await.contains("nothing was recorded"), "a voided parcel told again");
    assert!(done(&format!("{again} --key second")).await.contains("p2"));

    assert!(done("outbox list").await.contains("KEY"));
    assert!(done("set-aside").await.contains("Nothing is set aside."));
    assert!(done("merchants list").await.contains("MERCHANT"));
    assert!(done("merchants show m").await.contains("holds are not told"));
    assert!(done("merchants orders m").await.contains("#4"));
    for one in ["merchants orders m.shop.4", "merchants orders m shop/4", "merchants orders m m.shop.4"] {
        assert!(done(one).await.contains("no rule names its SKU"), "{one}");
    }
    for verb in
        ["merchants sync m", "merchants pause m", "merchants resume m", "merchants rename old m", "sweep"]
    {
        done(verb).await;
    }
    assert_eq!(shop.heard().len(), 5);

    assert!(fails("orders show m.shop.99", 1).await.contains("no order"));
    assert!(fails("--if-version 9999 orders ack m.shop.3", 1).await.contains("version"));
    fails("orders ship", 2).await;
    fails("orders cancel m.shop.1", 2).await;
    shutdown.cancel();
    serving.await.unwrap();

    assert!(fails("orders list", 1).await.contains("is `portald run` running?"));
    let missing = Command::new(env!("CARGO_BIN_EXE_portald"))
        .args(["status", "--config", "/nowhere/portald.toml"])
        .output()
        .await
        .unwrap();
    assert_eq!(missing.status.code(), Some(78));
}
