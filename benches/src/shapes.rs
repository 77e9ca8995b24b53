//! What is measured: JSON texts of ordinary and of one-sided shapes, the same in every run.

use serde_json::{Map, Value, json};

/// One message.
pub struct Shape {
    /// What the table calls it.
    pub name: &'static str,
    /// The message's full name in `bench.proto`.
    pub message: &'static str,
    /// The message, without white space.
    pub json: String,
}

/// All shapes, in the order of the table.
pub fn all() -> Vec<Shape> {
    let shape = |name, message, json: Value| Shape {
        name,
        message,
        json: json.to_string(),
    };
    let values = |name, json| shape(name, "bench.Values", json);
    let mut random = Random(1);
    vec![
        shape("object, 200 B", "bench.Book", small_book()),
        shape("objects, 4 KB", LIST, books(4_000, &mut random)),
        shape("objects, 100 KB", LIST, books(100_000, &mut random)),
        shape("objects, 1 MB", LIST, books(1_000_000, &mut random)),
        shape(
            "shuffled keys, 4 KB",
            LIST,
            shuffled(books(4_000, &mut random), &mut random),
        ),
        values(
            "doubles, 17 digits",
            json!({ "doubles": list(220, || random.double()) }),
        ),
        values(
            "doubles, short",
            json!({ "doubles": list(600, || random.below(100_000) as f64 / 100.0) }),
        ),
        values("int32, short", json!({ "int32s": list(1200, || random.below(1000)) })),
        values(
            "int64 strings",
            json!({ "int64s": list(200, || (random.next() as i64).to_string()) }),
        ),
        values(
            "escapes",
            json!({ "strings": list(60, || random.words(8).replace(' ', "\n\"\u{1}")) }),
        ),
        values(
            "other scripts",
            json!({ "strings": list(40, || "Žluťoučký kůň 馬が草を食べる").into_iter().collect::<Value>() }),
        ),
        values("long strings", json!({ "strings": list(4, || random.words(160)) })),
        values(
            "maps",
            json!({
                "labels": (0..50).map(|index| (format!("label-{index}"), random.words(3).into())).collect::<Map<_, _>>(),
                "publishers": (0..20).map(|index| (index.to_string(), publisher(&mut random))).collect::<Map<_, _>>(),
            }),
        ),
        values("base64", json!({ "data": base64(4_000, &mut random) })),
        values(
            "Struct",
            json!({ "struct": { "books": list(12, || book(&mut random)) } }),
        ),
    ]
}

const LIST: &str = "bench.ListBooksResponse";

const GENRES: [&str; 3] = ["GENRE_FICTION", "GENRE_HISTORY", "GENRE_SCIENCE"];

fn small_book() -> Value {
    json!({
        "name": "shelves/7/books/1234", "title": "The Left Hand of Darkness", "authorName": "Ursula K. Le Guin",
        "pageCount": 304, "soldCopies": "1200000", "price": 12.99, "inStock": true, "genre": "GENRE_FICTION",
        "tags": ["classic"],
    })
}

fn books(bytes: usize, random: &mut Random) -> Value {
    let (mut books, mut length) = (Vec::new(), 0);
    while length < bytes {
        let book = book(random);
        length += book.to_string().len() + 1;
        books.push(book);
    }
    json!({ "books": books, "nextPageToken": "CAEQAg" })
}

fn book(random: &mut Random) -> Value {
    json!({
        "name": format!("shelves/{}/books/{}", random.below(100), random.below(100_000)),
        "title": random.words(4),
        "authorName": random.words(2),
        "pageCount": random.below(999) + 1,
        "soldCopies": (random.below(9_999_999) + 1).to_string(),
        "price": (random.below(9_999) + 1) as f64 / 100.0,
        "inStock": true,
        "genre": GENRES[random.below(3) as usize],
        "tags": list(3, || random.words(1)),
        "publisher": publisher(random),
        "createTime": format!("20{:02}-06-{:02}T12:34:56.789Z", random.below(100), 1 + random.below(30)),
    })
}

fn publisher(random: &mut Random) -> Value {
    json!({ "displayName": random.words(2), "city": random.words(1), "foundedYear": 1500 + random.below(500) })
}

/// The members of every object in another order.
fn shuffled(value: Value, random: &mut Random) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| shuffled(value, random)).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            for last in (1..members.len()).rev() {
                members.swap(last, random.below(last as u64 + 1) as usize);
            }
            members
                .into_iter()
                .map(|(key, value)| (key, shuffled(value, random)))
                .collect()
        }
        other => other,
    }
}

fn base64(length: usize, random: &mut Random) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length)
        .map(|_| char::from(DIGITS[random.below(64) as usize]))
        .collect()
}

fn list<T>(length: usize, mut element: impl FnMut() -> T) -> Vec<T> {
    (0..length).map(|_| element()).collect()
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Between 0 and 1, with all 53 bits.
    fn double(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 12] = [
            "river", "the", "glass", "of", "mountain", "a", "winter", "light", "city", "salt", "northern", "sea",
        ];
        let words: Vec<_> = (0..count).map(|_| WORDS[self.below(12) as usize]).collect();
        words.join(" ")
    }
}
