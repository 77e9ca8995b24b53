//! JSON read so that nothing of it is forgotten.

/// JSON as it is written: numbers by their text, all members in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// The text of a number.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text; `None` when it is no JSON.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut reader = Reader {
            text: std::str::from_utf8(text).ok()?,
        };
        let json = reader.value()?;
        reader.text.trim_ascii_start().is_empty().then_some(json)
    }

    /// As text.
    pub fn words(&self) -> String {
        let join = |parts: Vec<String>| parts.join(",");
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.clone(),
            Self::String(text) => format!("{text:?}"),
            Self::Array(elements) => format!("[{}]", join(elements.iter().map(Self::words).collect())),
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("{name:?}:{}", value.words()));
                format!("{{{}}}", join(members.collect()))
            }
        }
    }

    /// The first member of an object with this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The element of an array at this place.
    pub fn at(&self, at: usize) -> Option<&Self> {
        match self {
            Self::Array(elements) => elements.get(at),
            _ => None,
        }
    }

    /// The content of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
}

impl<'t> Reader<'t> {
    /// Takes `token`, if it is next behind white space.
    fn take(&mut self, token: &str) -> Option<()> {
        self.text = self.text.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self) -> Option<Json> {
        self.text = self.text.trim_ascii_start();
        match self.text.as_bytes().first()? {
            b'{' => {
                let members = self.separated("{", "}", |reader| {
                    let key = reader.string()?;
                    reader.take(":")?;
                    Some((key, reader.value()?))
                })?;
                Some(Json::Object(members))
            }
            b'[' => self.separated("[", "]", Self::value).map(Json::Array),
            b'"' => self.string().map(Json::String),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            b'n' => self.take("null").map(|()| Json::Null),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Json> {
        let is_part = |character| matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let end = self.text.find(|character| !is_part(character));
        let (number, rest) = self.text.split_at(end.unwrap_or(self.text.len()));
        self.text = rest;
        serde_json::from_str::<f64>(number).ok()?;
        Some(Json::Number(number.to_owned()))
    }

    fn separated<T>(&mut self, open: &str, close: &str, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take(open)?;
        let mut items = Vec::new();
        if self.take(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(close).is_some() {
                return Some(items);
            }
            self.take(",")?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.text = self.text.trim_ascii_start();
        let mut escaped = false;
        let end = self.text.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let (string, rest) = self.text.split_at(end + 2);
        self.text = rest;
        serde_json::from_str(string).ok()
    }
}
