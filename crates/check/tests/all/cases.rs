//! Models from other projects, each with its correct verdict.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pixelrnn_check::{CheckError, Options, Position, Report, Verdict, check_file, trace};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases")).join(name)
}

fn check(name: &str, options: &Options) -> Result<Report, CheckError> {
    check_file(&path(&format!("{name}.onnx")), options)
}

fn report(name: &str) -> Report {
    check(name, &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn place(row: usize, column: usize) -> Position {
    Position { colour: 0, row, column }
}

#[test]
fn causal_files_are_proved() {
    for name in [
        "external_data",
        "attention_tf_1e10",
        "attention_where_1e9",
        "qdq_asymmetric",
        "whole_pixel",
        "lstm_raster",
        "codes_with_label",
        "sequence_rows",
    ] {
        let r = report(name);
        assert_eq!((r.verdict, r.leaking_outputs, r.outputs()), (Verdict::Causal, 0, 64), "{name}");
        assert!(r.conditions.is_empty() && r.uncertain.is_empty(), "{name}");
    }
    assert!(report("whole_pixel").whole_pixels);
}

#[test]
fn leaks_are_counted_and_traced() {
    let cases = [
        ("quantised_dynamically", 63, place(0, 1), place(0, 1)),
        ("reverse_raster", 63, place(0, 0), place(0, 1)),
        ("updown_wrong", 24, place(1, 0), place(1, 0)),
        ("mask_lost", 64, place(0, 0), place(0, 0)),
    ];
    for (name, leaking, output, input) in cases {
        let r = report(name);
        let leak = r.leak.expect(name);
        assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Leaks, leaking), "{name}");
        assert_eq!((leak.output, leak.input), (output, input), "{name}");
        let bytes = std::fs::read(path(&format!("{name}.onnx"))).expect(name);
        let hops = trace(&bytes, &Options::default(), &r, output, input).expect(name);
        assert!(!hops.is_empty(), "{name}");
    }
    let hint = report("reverse_raster").hint.expect("a hint");
    assert!(hint.contains("from the last pixel to the first"), "{hint}");
    assert_eq!(report("mask_lost").hint, None);
}

#[test]
fn a_finite_mask_is_proved_by_the_range_or_stated_as_a_condition() {
    let r = report("attention_add_1e4");
    assert_eq!((r.verdict, r.leaking_outputs), (Verdict::Conditional, 0));
    // A single condition: the one that it implies is not listed.
    assert_eq!(r.conditions.len(), 1, "{:?}", r.conditions);
    assert!(r.conditions[0].contains("the scores stay above"), "{:?}", r.conditions);
    let narrow = Options { range: Some((0.0, 1.0)), ..Options::default() };
    let r = check("attention_add_1e4", &narrow).expect("runs");
    assert_eq!(r.verdict, Verdict::Causal);
}

#[test]
fn weights_outside_the_folder_are_not_opened() {
    let error = check("external_outside", &Options::default()).expect_err("outside");
    assert!(matches!(error, CheckError::External { .. }));
    assert!(error.to_string().contains("outside the model's folder"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_read() {
    let folder = std::env::temp_dir().join(format!("pixelrnn-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(path("external_data.onnx"), folder.join("m.onnx")).expect("a copy");
    let link = folder.join("external_data.onnx.data");
    std::os::unix::fs::symlink(path("external_data.onnx.data"), &link).expect("a link");
    let error = check_file(&folder.join("m.onnx"), &Options::default()).expect_err("a link");
    assert!(error.to_string().contains("is a link"), "{error}");
    let error = check_file("/dev/zero".as_ref(), &Options::default()).expect_err("a device");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// Each of these leaks in ONNX Runtime. The verdict may be an error or a condition, but never
/// "causal".
#[test]
fn none_of_these_is_causal() {
    for name in [
        "add_-1e9_then_+1e9",
        "bn_training_stats",
        "cast_uint8_wrap",
        "f32_16777217",
        "float8_int32data_mask",
        "fn_name_collision",
        "int_div_mixed",
        "mod_fmod_negative",
        "onehot_values",
        "reducemean_int",
        "scaled_1e9_affine",
    ] {
        assert_eq!(report(name).verdict, Verdict::Leaks, "{name}");
    }
    for name in ["max_nan", "zero_times_log", "posattn_where_-1e4_q-100", "softmax_lowlogits"] {
        let r = report(name);
        assert_eq!(r.verdict, Verdict::Conditional, "{name}");
        assert!(!r.conditions.is_empty(), "{name}");
    }
    for name in ["convT_same_shift", "fn_shadows_Relu", "opset_18_then_11"] {
        let error = check(name, &Options::default()).expect_err(name);
        assert!(matches!(error, CheckError::Invalid(_) | CheckError::Node { .. }), "{name}");
    }
}

#[test]
fn large_files_end_at_once() {
    for name in ["const_2^27", "forty_2^26", "img_512", "nestloop_3x1000"] {
        let begin = Instant::now();
        let r = check(&format!("unbounded/{name}"), &Options::default());
        assert!(begin.elapsed() < Duration::from_secs(5), "{name}: {:?}", begin.elapsed());
        assert!(r.is_err() || r.is_ok_and(|r| r.verdict == Verdict::Leaks), "{name}");
    }
    let tight = Options { memory: 1 << 20, ..Options::default() };
    let error = check("unbounded/img_512", &tight).expect_err("too large");
    assert!(error.to_string().contains("--memory"), "{error}");
}

#[cfg(feature = "cli")]
#[test]
fn names_are_escaped_wherever_they_are_printed() {
    let file = path("escape.onnx");
    let answer = pixelrnn_check::cli::answer(&file.to_string_lossy(), &Default::default());
    let answer = answer.expect("runs");
    let text = answer.text(&[0]);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.contains("\\u{1b}"), "{text}");
    // JSON escapes control characters itself, but its strings are printed by others, so they are
    // escaped as well.
    assert!(!answer.json().to_string().contains("\\u001b"));
}
