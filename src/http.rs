//! The world's network: the one HTTP client of the daemon.
//!
//! It sends once and bounds everything: connecting, silence, the whole exchange, and the size of the answer as
//! decoded. It follows no redirect and repeats nothing; what to do about a failure is for the layers above
//! (`sdk::client`). A proxy is taken from the usual environment variables (`HTTPS_PROXY`, `NO_PROXY`).

use std::{error::Error as _, fmt::Write as _, time::Duration};

use bytes::{Bytes, BytesMut};
use sdk::{Http, TransportError, async_trait};

/// The bounds of every exchange.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// To reach the remote: name, TCP and TLS.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub silence: Duration,
    /// For the whole exchange: a backstop behind the client's own timeout for each attempt.
    pub total: Duration,
    /// The largest body, in bytes as decoded.
    pub body: u64,
    /// How long an idle connection is kept. Polls are minutes apart, so a long time would only cost memory.
    pub pool_idle: Duration,
    /// How many idle connections are kept for one host; each costs some 17 kB.
    pub pool_per_host: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            total: Duration::from_secs(60),
            body: 32 * 1024 * 1024,
            pool_idle: Duration::from_secs(30),
            pool_per_host: 2,
        }
    }
}

/// The transport over real sockets. One for the whole daemon.
#[derive(Debug)]
pub struct ReqwestHttp {
    client: reqwest::Client,
    body_limit: u64,
}

impl ReqwestHttp {
    /// Builds the client; the error says what of the machine is missing (certificates, mostly).
    pub fn new(limits: HttpLimits) -> Result<Self, String> {
        // Fails only where a provider is installed already, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "this is the one client, with limits")]
        let client = reqwest::Client::builder()
            .user_agent(concat!("portald/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(limits.connect)
            .read_timeout(limits.silence)
            .timeout(limits.total)
            .pool_idle_timeout(limits.pool_idle)
            .pool_max_idle_per_host(limits.pool_per_host)
            .build()
            .map_err(|error| format!("the HTTP client cannot be built: {}", in_words(error)))?;
        Ok(Self { client, body_limit: limits.body })
    }
}

#[async_trait]
impl Http for ReqwestHttp {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|error| {
            TransportError::Connect(format!("the request cannot be sent: {}", in_words(error)))
        })?;
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let too_large = || TransportError::TooLarge(self.body_limit);
        let told = response.content_length().unwrap_or_default();
        if told > self.body_limit {
            return Err(too_large());
        }
        // Room for a common page at once; a remote's word alone does not get more.
        let mut body = BytesMut::with_capacity(told.min(1024 * 1024) as usize);
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if (body.len() + piece.len()) as u64 > self.body_limit {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        let mut answer = http::Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn failed(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::Connect(in_words(error))
    } else {
        TransportError::Interrupted(in_words(error))
    }
}

/// The whole chain of causes (the top one says little), without the address, which may hold a secret.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(words, ": {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use sdk::testkit;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn http(limits: HttpLimits) -> ReqwestHttp {
        ReqwestHttp::new(limits).unwrap()
    }

    async fn get(http: &ReqwestHttp, addr: SocketAddr) -> Result<http::Response<Bytes>, TransportError> {
        http.send(http::Request::get(format!("http://{addr}/a?token=hush")).body(Bytes::new()).unwrap()).await
    }

    /// A server that reads one request's head and then does as the test says.
    async fn server<F>(then: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            then(stream).await;
        });
        addr
    }

    struct Echo;

    #[async_trait]
    impl Http for Echo {
        async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
            if request.uri().path() == "/lost" {
                return Err(TransportError::Interrupted("as asked".to_owned()));
            }
            let agent = request.headers()["user-agent"].clone();
            let answer = format!("{} {} {}", request.method(), request.uri(), request.body().len());
            Ok(http::Response::builder().status(201).header("x-agent", agent).body(answer.into()).unwrap())
        }
    }

    #[tokio::test]
    async fn a_request_and_its_answer_go_through_whole() {
        let served = testkit::serve(Arc::new(Echo), "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let http = http(HttpLimits::default());
        let url = format!("{}/x?y=1", served.base_url());
        let post = || http::Request::post(&url).body(Bytes::from_static(b"12345")).unwrap();
        for _ in 0..2 {
            let answer = http.send(post()).await.unwrap();
            assert_eq!(answer.status(), 201);
            assert_eq!(*answer.body(), format!("POST {url} 5"));
            assert_eq!(answer.headers()["x-agent"], concat!("portald/", env!("CARGO_PKG_VERSION")));
        }
        let lost = http::Request::post(format!("{}/lost", served.base_url())).body(Bytes::new()).unwrap();
        assert!(matches!(http.send(lost).await, Err(TransportError::Interrupted(_))));
        let addr = served.addr;
        drop(served);
        tokio::task::yield_now().await;
        // A fresh client, for the old one may still hold a connection that is being closed.
        let error = get(&self::http(HttpLimits::default()), addr).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect(_) | TransportError::Interrupted(_)), "{error}");
    }

    #[tokio::test]
    async fn a_refused_connection_reached_nobody() {
        let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = get(&http(HttpLimits::default()), addr).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect(_)), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn a_reset_after_the_request_is_not_known_and_not_repeated() {
        let addr = server(|stream| async move {
            #[expect(deprecated, reason = "a linger of zero is what makes a reset")]
            stream.set_linger(Some(Duration::ZERO)).unwrap();
        })
        .await;
        let error = get(&http(HttpLimits::default()), addr).await.unwrap_err();
        assert!(matches!(error, TransportError::Interrupted(_)), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_not_an_answer() {
        let addr = server(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        })
        .await;
        let error = get(&http(HttpLimits::default()), addr).await.unwrap_err();
        assert!(matches!(error, TransportError::Interrupted(_)), "{error}");
    }

    #[tokio::test]
    async fn silence_and_dripping_both_end() {
        let silent = server(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nh").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let short = HttpLimits { silence: Duration::from_millis(50), ..HttpLimits::default() };
        let error = get(&http(short), silent).await.unwrap_err();
        assert!(matches!(error, TransportError::Interrupted(_)), "{error}");

        let dripping = server(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let short = HttpLimits { total: Duration::from_millis(100), ..HttpLimits::default() };
        let error = get(&http(short), dripping).await.unwrap_err();
        assert!(matches!(error, TransportError::Interrupted(_)), "{error}");
    }

    #[tokio::test]
    async fn a_body_past_the_limit_is_refused_by_its_word_and_by_its_bytes() {
        let by_word = server(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let error = get(&http(HttpLimits::default()), by_word).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge(33_554_432)), "{error}");

        let by_bytes = server(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let piece = [b'x'; 8 * 1024];
            for _ in 0..200_000_000 / piece.len() {
                if stream.write_all(&piece).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let error = get(&http(HttpLimits::default()), by_bytes).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge(33_554_432)), "{error}");
    }

    #[tokio::test]
    async fn a_redirect_is_handed_back_as_it_came() {
        let addr = server(|mut stream| async move {
            let head =
                b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/else\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(head).await.unwrap();
        })
        .await;
        let answer = get(&http(HttpLimits::default()), addr).await.unwrap();
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["location"], "http://127.0.0.1:1/else");
    }

    /// `gzip -9` of 1,000 letters x: 29 bytes that become 1,000.
    const GZIP: [u8; 29] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 168, 24, 5, 163, 96, 20, 12, 119, 0, 0, 230, 201, 65, 59, 232,
        3, 0, 0,
    ];

    #[tokio::test]
    async fn gzip_is_decoded_and_counted_as_decoded() {
        let answer = |mut stream: TcpStream| async move {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                GZIP.len()
            );
            stream.write_all(&[head.as_bytes(), &GZIP].concat()).await.unwrap();
        };
        let decoded = get(&http(HttpLimits::default()), server(answer).await).await.unwrap();
        assert_eq!(*decoded.body(), "x".repeat(1000));
        let limited = HttpLimits { body: 999, ..HttpLimits::default() };
        let error = get(&http(limited), server(answer).await).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge(999)), "{error}");
    }
}
