//! Good text with something wrong in it: a line or a piece of one taken away, doubled, moved, or another's.

use sdk::Rng;

/// One of the good ones, changed in a few places; the same for the same seed.
pub(super) fn spoilt(good: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut rng = Rng::from_seed(seed);
    let text = &good[below(&mut rng, good.len())];
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=rng.below(4) {
        change(&mut lines, &mut rng);
    }
    lines.join(&b'\n')
}

/// A place among so many; 0 where there is none.
fn below(rng: &mut Rng, many: usize) -> usize {
    rng.below(many.max(1) as u64) as usize
}

fn change(lines: &mut Vec<Vec<u8>>, rng: &mut Rng) {
    let (at, other) = (below(rng, lines.len()), below(rng, lines.len()));
    match rng.below(12) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        3 => lines.truncate(at.max(1)),
        4 => {
            let length = below(rng, lines[at].len());
            lines[at].truncate(length);
        }
        5 if !lines[at].is_empty() => {
            let place = below(rng, lines[at].len());
            lines[at][place] = rng.below(256) as u8;
        }
        6 => {
            let place = below(rng, lines[at].len());
            let unseen = ["\u{feff}", "\u{200b}", "\u{202e}", "\0", "\r", "\u{1b}[2J", "\"", "\u{a0}"];
            let unseen = unseen[below(rng, unseen.len())];
            lines[at].splice(place..place, unseen.bytes());
        }
        7 => {
            // An option of the example that is not at work.
            let bare = lines[at].iter().position(|byte| *byte != b'#').unwrap_or_default();
            lines[at].drain(..bare);
        }
        _ => piece(&mut lines[at], rng),
    }
    if lines.is_empty() {
        lines.push(Vec::new());
    }
}

/// Something else for what stands between two separators.
fn piece(line: &mut Vec<u8>, rng: &mut Rng) {
    let separates = |byte: u8| matches!(byte, b',' | b';' | b'=' | b'\t' | b'#');
    let mut pieces: Vec<Vec<u8>> = line.split(|byte| separates(*byte)).map(<[u8]>::to_vec).collect();
    let separators: Vec<u8> = line.iter().copied().filter(|byte| separates(*byte)).collect();
    let place = below(rng, pieces.len());
    pieces[place] = stranger(&pieces[place], rng);
    line.clear();
    for (at, piece) in pieces.iter().enumerate() {
        line.extend_from_slice(piece);
        line.extend(separators.get(at));
    }
}

fn stranger(was: &[u8], rng: &mut Rng) -> Vec<u8> {
    const STRANGERS: [&str; 30] = [
        "",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "99999999999999999999999",
        "1e308",
        "nan",
        "0x7fffffff",
        "true",
        "null",
        "\"\"",
        "\" \"",
        "\"SOMETHING NEW\"",
        "\"\\u0000\\u202e\"",
        "\"",
        "'''",
        "[]",
        "{}",
        "[[merchant]]",
        "1979-05-27T07:32:00Z",
        "\"9999-12-31T23:59:59Z\"",
        "{ env = \"NO\" }",
        "{ file = \"/dev/zero\" }",
        "{ credential = \"../x\" }",
        "\"* * * * * *\"",
        "\"0 0 0 31 2 *\"",
        "\"0 0 2 29 2 1\"",
        "\"..\"",
        "[\"{a,{b,{c,d}}}[!a-\"]",
    ];
    match rng.below(8) {
        0 => "9".repeat(1 + below(rng, 500)).into_bytes(),
        1 => {
            let deep = 1 + below(rng, 300);
            [&b"[".repeat(deep), was, &b"]".repeat(deep)].concat()
        }
        2 => [b"\"", was, b"\""].concat(),
        _ => STRANGERS[below(rng, STRANGERS.len())].as_bytes().to_vec(),
    }
}

#[test]
fn the_same_seed_spoils_alike_and_every_line_is_struck() {
    let good = vec![b"a = 1\nb = [2, 3]\n#c = 4".to_vec()];
    assert_eq!(spoilt(&good, 7), spoilt(&good, 7));
    for line in ["a = 1", "b = [2, 3]", "#c = 4"] {
        let whole = |seed| String::from_utf8_lossy(&spoilt(&good, seed)).lines().any(|found| found == line);
        assert!((0..100).any(|seed| !whole(seed)), "{line} was never struck");
    }
}
