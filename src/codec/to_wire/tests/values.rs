//! Scalars, strings, and JSON's syntax.

use super::*;

#[test]
fn every_scalar_kind_is_read_from_its_json_form() {
    accepts(&[
        (r#"{"i32":-5}"#, r#"{"i32":-5}"#),
        (r#"{"i32":"-5"}"#, r#"{"i32":-5}"#),
        (r#"{"i64":-9223372036854775808}"#, r#"{"i64":"-9223372036854775808"}"#),
        (r#"{"i64":"9223372036854775807"}"#, r#"{"i64":"9223372036854775807"}"#),
        (r#"{"u32":4294967295}"#, r#"{"u32":4294967295}"#),
        (r#"{"u64":18446744073709551615}"#, r#"{"u64":"18446744073709551615"}"#),
        (r#"{"s32":-2147483648}"#, r#"{"s32":-2147483648}"#),
        (r#"{"s64":"-2"}"#, r#"{"s64":"-2"}"#),
        (
            r#"{"longs":["0",1,"12345678","1e3","-9223372036854775808",9223372036854775807,"\u0037"]}"#,
            r#"{"longs":["0","1","12345678","1000","-9223372036854775808","9223372036854775807","7"]}"#,
        ),
        (
            r#"{"f32":7,"f64":8,"sf32":-9,"sf64":-10}"#,
            r#"{"f32":7,"f64":"8","sf32":-9,"sf64":"-10"}"#,
        ),
        (r#"{"dbl":1.5,"flt":-0.25}"#, r#"{"dbl":1.5,"flt":-0.25}"#),
        (r#"{"dbl":"1.5e2","flt":"3"}"#, r#"{"dbl":150.0,"flt":3.0}"#),
        (r#"{"flag":true}"#, r#"{"flag":true}"#),
        (r#"{"flag":false}"#, "{}"),
        (r#"{"text":"a"}"#, r#"{"text":"a"}"#),
        (r#"{"data":"QUI="}"#, r#"{"data":"QUI="}"#),
        (r#"{"color":"RED"}"#, r#"{"color":"RED"}"#),
        (r#"{"maybe":0}"#, r#"{"maybe":0}"#),
        (r#"{"far":3}"#, r#"{"far":3}"#),
        (
            r#"{"farChild":{"far_child":{"i32":1}}}"#,
            r#"{"farChild":{"farChild":{"i32":1}}}"#,
        ),
        (r#"{"child":{}}"#, r#"{"child":{}}"#),
        (
            " \r\n\t{ \"i32\" : 1 ,\n                  \"child\" : { } , \"ints\" : [ 1 , 2 ] } \n",
            r#"{"i32":1,"child":{},"ints":[1,2]}"#,
        ),
    ]);
}

#[test]
fn values_of_the_wrong_type_say_what_was_found_and_expected() {
    let long = format!(r#"{{"i32":"{}"}}"#, "x".repeat(100));
    let cut = format!("expected a 32-bit integer, found string \"{}…\"", "x".repeat(40));
    refuses(&[
        (
            r#"{"i32":"abc"}"#,
            "i32: expected a 32-bit integer, found string \"abc\" (at byte 7)",
        ),
        (&long, &cut),
        (r#"{"i32":true}"#, "expected a 32-bit integer, found true"),
        (r#"{"i32":{}}"#, "expected a 32-bit integer, found an object"),
        (r#"{"u32":[1]}"#, "expected an unsigned 32-bit integer, found an array"),
        (r#"{"dbl":"abc"}"#, "expected a number, found string \"abc\""),
        (r#"{"dbl":false}"#, "expected a number, found false"),
        (r#"{"flag":"true"}"#, "expected true or false, found string \"true\""),
        (r#"{"flag":1}"#, "expected true or false, found number 1"),
        (r#"{"text":1}"#, "expected a string, found number 1"),
        (r#"{"data":1}"#, "expected a base64 string, found number 1"),
        (r#"{"data":"A"}"#, "expected a base64 string, found string \"A\""),
        (
            r#"{"color":"PINK"}"#,
            "expected a name or number of t.Color, found string \"PINK\"",
        ),
        (r#"{"color":"1"}"#, "expected a name or number of t.Color"),
        (
            r#"{"color":1.5}"#,
            "expected a name or number of t.Color, found number 1.5",
        ),
        (r#"{"child":[]}"#, "child: expected an object, found an array"),
        (r#"{"children":{}}"#, "children: expected an array, found an object"),
        (r#"{"byText":[]}"#, "byText: expected an object, found an array"),
        (r#"{"texts":"a"}"#, "expected an array, found string \"a\""),
        (
            r#"{"child":{"children":[{},{"i32":"x"}]}}"#,
            "child.children[1].i32: expected",
        ),
        (
            r#"{"byM":{"k":{"texts":["a",1]}}}"#,
            r#"byM["k"].texts[1]: expected a string"#,
        ),
        (r#"[]"#, "expected an object, found an array (at byte 0)"),
        (r#"1"#, "expected an object, found number 1"),
        (r#""""#, "expected an object, found string \"\""),
    ]);
}

#[test]
fn integers_may_have_an_exponent_or_a_zero_fraction_and_nothing_else() {
    accepts(&[
        (r#"{"i32":1e5}"#, r#"{"i32":100000}"#),
        (r#"{"i32":1.0}"#, r#"{"i32":1}"#),
        (r#"{"i32":"1e5"}"#, r#"{"i32":100000}"#),
        (
            r#"{"u64":1.8446744073709551615e19}"#,
            r#"{"u64":"18446744073709551615"}"#,
        ),
        (r#"{"i32":-0}"#, "{}"),
        (r#"{"u32":-0}"#, "{}"),
        (r#"{"i32":-2147483648.0}"#, r#"{"i32":-2147483648}"#),
    ]);
    for value in [
        r#""+5""#,
        r#"" 5""#,
        r#""5 ""#,
        r#"".5""#,
        r#""05""#,
        r#""""#,
        r#""1.5""#,
        r#""-""#,
        r#""0x10""#,
        "1.5",
        "1e-1",
        "2147483648",
        "-2147483649",
        "1e10",
        "NaN",
        r#""NaN""#,
        "+5",
        ".5",
        "05",
        "-",
        "1.",
        "1e",
        "00",
        "--1",
        "-a",
    ] {
        let json = format!(r#"{{"i32":{value}}}"#);
        convert("t.M", json.as_bytes(), &strict()).expect_err(&json);
    }
    refuses(&[
        (r#"{"u32":-1}"#, "expected an unsigned 32-bit integer, found number -1"),
        (r#"{"u64":18446744073709551616}"#, "expected an unsigned 64-bit integer"),
        (r#"{"i64":9223372036854775808}"#, "expected a 64-bit integer"),
        (r#"{"i32":05}"#, "expected ',' or '}', found number 5"),
    ]);
}

#[test]
fn floats_have_names_for_infinity_and_do_not_overflow() {
    accepts(&[
        (r#"{"dbl":"NaN","flt":"NaN"}"#, r#"{"dbl":"NaN","flt":"NaN"}"#),
        (
            r#"{"dbl":"Infinity","flt":"-Infinity"}"#,
            r#"{"dbl":"Infinity","flt":"-Infinity"}"#,
        ),
        (r#"{"dbls":[-0.0,"-0"]}"#, r#"{"dbls":[-0.0,-0.0]}"#),
        (r#"{"flt":3.4028235e38}"#, r#"{"flt":3.4028235e38}"#),
        (r#"{"dbl":1e-400}"#, "{}"),
    ]);
    assert_eq!(parse("t.M", br#"{"flt":-0}"#, &strict()), Ok(vec![0x65, 0, 0, 0, 0x80]));
    refuses(&[
        (
            r#"{"dbl":1e309}"#,
            "expected a number that fits a double, found number 1e309",
        ),
        (
            r#"{"flt":3.5e38}"#,
            "expected a number that fits a float, found number 3.5e38",
        ),
        (r#"{"flt":"-1e39"}"#, "expected a number that fits a float"),
        (r#"{"dbl":NaN}"#, "expected a number, found NaN"),
        (r#"{"dbl":Infinity}"#, "expected a number"),
        (r#"{"dbl":"inf"}"#, "expected a number"),
        (r#"{"dbl":"nan"}"#, "expected a number"),
        (r#"{"dbl":""}"#, "expected a number"),
        (r#"{"dbl":" 1"}"#, "expected a number"),
        (r#"{"value":1e999}"#, "expected a number that fits a double"),
    ]);
}

#[test]
fn numbers_of_ten_thousand_digits_are_read_or_refused() {
    let digits = "1".repeat(10_000);
    let zeros = "0".repeat(10_000);
    convert("t.M", format!(r#"{{"i32":{digits}}}"#).as_bytes(), &strict()).unwrap_err();
    convert("t.M", format!(r#"{{"dbl":{digits}}}"#).as_bytes(), &strict()).unwrap_err();
    assert_eq!(
        convert("t.M", format!(r#"{{"dbl":0.{digits}}}"#).as_bytes(), &strict()).as_deref(),
        Ok(r#"{"dbl":0.1111111111111111}"#)
    );
    assert_eq!(
        convert("t.M", format!(r#"{{"i32":1{zeros}e-10000}}"#).as_bytes(), &strict()).as_deref(),
        Ok(r#"{"i32":1}"#)
    );
}

#[test]
fn strings_are_unescaped() {
    let plain = "abcdefghijklmnopqrstuvwxyz".repeat(20);
    for (inside, expected) in [
        (r"", "".to_owned()),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t".to_owned()),
        (r"a\u0041b", "aAb".to_owned()),
        (r"\u0000", "\0".to_owned()),
        (r"\u00e9\u20AC", "é€".to_owned()),
        (r"\ud83d\uDE00", "😀".to_owned()),
        (r"\ud83d\uDE00\u0041", "😀A".to_owned()),
        ("ä€😀", "ä€😀".to_owned()),
        ("1234567ä", "1234567ä".to_owned()),
        ("\u{7f}", "\u{7f}".to_owned()),
        (&plain, plain.clone()),
        (&format!("{plain}\\n{plain}"), format!("{plain}\n{plain}")),
    ] {
        let json = format!(r#"{{"text":"{inside}","texts":["{inside}"],"byM":{{"{inside}":{{}}}}}}"#);
        let mut wire = Vec::new();
        let (pool, tables) = compile(&[("t.proto", PROTO)]);
        let index = tables.message_index("t.M").unwrap();
        JsonToWire::default()
            .message(&tables, index, JsonInput::new(json.as_bytes(), &strict()), &mut wire)
            .unwrap();
        let message = DynamicMessage::decode(pool.get_message_by_name("t.M").unwrap(), &wire[..]).unwrap();
        assert_eq!(message.get_field_by_name("text").unwrap().as_str(), Some(&*expected));
        assert_eq!(
            message.get_field_by_name("texts").unwrap().as_list().unwrap()[0].as_str(),
            Some(&*expected)
        );
        let map = message.get_field_by_name("by_m").unwrap().into_owned();
        let key = map
            .as_map()
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(key, expected);
    }
}

/// Strings of every length around those that are copied as whole words, each with enough behind it.
#[test]
fn short_strings_are_read_as_long_ones_are() {
    let room = " ".repeat(40);
    for length in 0..=40 {
        let text = "x".repeat(length);
        for json in [
            format!(r#"{{"text":"{text}"{room}}}"#),
            format!(r#"{{"text":"{text}"}}{room}"#),
        ] {
            let wire = parse("t.M", json.as_bytes(), &strict()).unwrap();
            let expected = match length {
                0 => "{}".to_owned(),
                _ => format!(r#"{{"text":"{text}"}}"#),
            };
            assert_same(&json, &convert("t.M", json.as_bytes(), &strict()), &expected);
            assert!(wire.ends_with(&[&[length as u8], text.as_bytes()].concat()), "{json}");
        }
    }
    for broken in [r#"{"i32":"12 ,"u32":1}"#, r#"{"i32":12"}"#, r#"{"i32":"12 "}"#] {
        let json = format!("{broken}{room}");
        assert!(convert("t.M", json.as_bytes(), &strict()).is_err(), "{json}");
    }
}

#[test]
fn broken_strings_are_refused_in_values_keys_and_skipped_values() {
    let broken: &[(&[u8], &str)] = &[
        (b"\xff", "not UTF-8"),
        (b"abcdefgh\xc3", "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"\xc0\x80", "not UTF-8"),
        (b"\\ud800", "lone surrogate"),
        (b"\\ud800\\u0041", "lone surrogate"),
        (b"\\ud800x", "lone surrogate"),
        (b"\\udc00", "lone surrogate"),
        (b"\\u12g4", "four hexadecimal digits"),
        (b"\\u+123", "four hexadecimal digits"),
        (b"\\u12", "four hexadecimal digits"),
        (b"\\x41", "unknown escape"),
        (b"a\nb", "control character 0x0a"),
        (b"12345678\x00", "control character 0x00"),
    ];
    let lenient = ParseOptions::default();
    for (inside, expected) in broken {
        for (before, after) in [
            (&b"{\"text\":\""[..], &b"\"}"[..]),
            (b"{\"texts\":[\"", b"\"]}"),
            (b"{\"", b"\":1}"),
            (b"{\"unknown\":\"", b"\"}"),
            (b"{\"unknown\":[{\"", b"\":1}]}"),
            (b"{\"byText\":{\"", b"\":1}}"),
            (b"{\"struct\":{\"a\":\"", b"\"}}"),
            (b"{\"any\":{\"x\":\"", b"\",\"@type\":\"a/t.M\"}}"),
            (b"{\"i32\":\"", b"\"}"),
            (b"{\"time\":\"", b"\"}"),
        ] {
            let json = [before, inside, after].concat();
            let error = convert("t.M", &json, &lenient).unwrap_err().to_string();
            assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(&json));
        }
    }
}

#[test]
fn broken_json_is_refused_wherever_it_is_cut() {
    let whole = r#"{"i32":1,"text":"a\n\u00e9","ints":[1,2],"byM":{"k":{"dbl":1.5e3}},"child":{"flag":true},
        "any":{"dbl":2,"@type":"a/t.M"},"struct":{"a":[null,{"b":false}]},"unknown":[{"x":[1,"\ud83d\ude00"]},-0.5e-1]} "#;
    let options = ParseOptions::default();
    convert("t.M", whole.as_bytes(), &options).unwrap();
    for end in 1..whole.trim_end().len() {
        let error = convert("t.M", &whole.as_bytes()[..end], &options).unwrap_err();
        assert!(error.offset.is_some_and(|offset| offset <= end), "{error}");
    }
}

#[test]
fn json_syntax_is_strict_in_known_and_skipped_values() {
    for json in [
        "{,}",
        r#"{"i32":1,}"#,
        r#"{"i32":1 "u32":2}"#,
        r#"{"i32" 1}"#,
        r#"{"i32":}"#,
        r#"{i32:1}"#,
        r#"{'i32':1}"#,
        "{",
        "}",
        r#"{"ints":[1,]}"#,
        r#"{"ints":[,1]}"#,
        r#"{"ints":[1 2]}"#,
        r#"{"ints":[1}"#,
        r#"{"child":{]}"#,
        "{} {}",
        "{}x",
        "{}\0",
        "\u{feff}{}",
        r#"{"i32":1}//"#,
        "/**/{}",
        r#"{"flag":True}"#,
        r#"{"flag":tru}"#,
        r#"{"child":nul}"#,
        r#"{"i32":1;}"#,
        "nullx",
        "null null",
        "\u{a0}{}",
        "\x0b{}",
        r#"{"x":[1,]}"#,
        r#"{"x":[,]}"#,
        r#"{"x":{,}}"#,
        r#"{"x":{"a":1,}}"#,
        r#"{"x":{"a"}}"#,
        r#"{"x":{1:2}}"#,
        r#"{"x":[}}"#,
        r#"{"x":{]}}"#,
        r#"{"x":01}"#,
        r#"{"x":+1}"#,
        r#"{"x":.5}"#,
        r#"{"x":1.}"#,
        r#"{"x":1e}"#,
        r#"{"x":-}"#,
        r#"{"x":nan}"#,
        r#"{"x":True}"#,
        r#"{"x":}"#,
        r#"{"x":'a'}"#,
        r#"{"x":1 2}"#,
        r#"{"x":[1 2]}"#,
        r#"{"x":tru}"#,
    ] {
        convert("t.M", json.as_bytes(), &ParseOptions::default()).expect_err(json);
    }
    refuses(&[
        ("\u{feff}{}", "expected an object, found a byte order mark (at byte 0)"),
        ("{}x", "expected the end of the input, found x (at byte 2)"),
        (
            r#"{"i32":1"#,
            "expected ',' or '}', found the end of the input (at byte 8)",
        ),
        (r#"{"ints":[1"#, "ints: expected ',' or ']', found the end of the input"),
    ]);
}
