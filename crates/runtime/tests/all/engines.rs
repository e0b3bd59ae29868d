//! Properties that hold for every engine.

use ndarray::{ArrayD, IxDyn};
use pixelrnn_runtime::{
    Array, Engine, EngineError, EngineKind, Extent, InputError, LibraryError, Optimization,
    Options, OrtEngine, OrtOptions, Program, Session, State, TractEngine, open, survey,
};

use crate::models::{self, FLOAT, INT32, INT64};

fn engines() -> Vec<Box<dyn Engine>> {
    vec![Box::new(TractEngine), Box::new(ort(OrtOptions::default()))]
}

/// Fails with a clear message if the library is not available and cannot be downloaded.
fn ort(options: OrtOptions) -> OrtEngine {
    OrtEngine::cpu(options).unwrap_or_else(|e| panic!("these tests need ONNX Runtime: {e}"))
}

fn load(engine: &dyn Engine, onnx: &[u8]) -> Box<dyn Session> {
    engine.load(&Program { name: "test", onnx, graph: None }).unwrap_or_else(|e| panic!("{e}"))
}

fn array(shape: &[usize], data: &[f32]) -> Array {
    ArrayD::from_shape_vec(IxDyn(shape), data.to_vec()).unwrap()
}

fn input_error(result: Result<Vec<(String, Array)>, EngineError>) -> InputError {
    match result {
        Err(EngineError::Input { error, program }) if program == "test" => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn outputs_come_by_name_and_inputs_in_any_order() {
    for engine in engines() {
        let mut session = load(&*engine, &models::add(&["2", "2"]));
        assert_eq!(session.input_names(), ["x", "y"]);
        assert_eq!(session.output_names(), ["sum", "scaled"]);
        assert_eq!(session.inputs()[0].to_string(), "x[2, 2]");
        let x = array(&[2, 2], &[1., 2., 3., 4.]);
        let y = array(&[2, 2], &[0.5; 4]);
        let outputs = session.run(&[("y", &y), ("x", &x)]).unwrap();
        let expected = [("sum".to_owned(), &x + 0.5), ("scaled".to_owned(), &x * 10.)];
        assert_eq!(outputs, expected, "{}", engine.name());
    }
}

#[test]
fn scalars_and_arrays_in_other_orders_are_read_right() {
    for engine in engines() {
        let mut session = load(&*engine, &models::add(&[]));
        let one = array(&[], &[1.]);
        let outputs = session.run(&[("x", &one), ("y", &one)]).unwrap();
        assert_eq!(outputs[0].1, array(&[], &[2.]), "{}", engine.name());

        let mut session = load(&*engine, &models::add(&["3", "2"]));
        let x = array(&[2, 3], &[1., 2., 3., 4., 5., 6.]).reversed_axes();
        assert!(x.as_slice().is_none());
        let outputs = session.run(&[("x", &x), ("y", &x)]).unwrap();
        assert_eq!(outputs[0].1, array(&[3, 2], &[2., 8., 4., 10., 6., 12.]), "{}", engine.name());
    }
}

#[test]
fn a_symbolic_batch_may_change_from_run_to_run() {
    for engine in engines() {
        let mut session = load(&*engine, &models::add(&["batch", "2"]));
        let batch = Extent::Symbol("batch".to_owned());
        assert_eq!(session.inputs()[0].shape, Some(vec![batch, Extent::Fixed(2)]));
        // More sizes than tract keeps plans for, then the first one again.
        for n in (1..12).chain([1]) {
            let x = Array::from_elem(IxDyn(&[n, 2]), n as f32);
            let outputs = session.run(&[("x", &x), ("y", &x)]).unwrap();
            assert_eq!(outputs[0].1, &x * 2., "{}", engine.name());
        }
    }
}

#[test]
fn a_symbolic_batch_reaches_into_a_scan() {
    for engine in engines() {
        let mut session = load(&*engine, &models::running_sum());
        for n in [1, 4] {
            let start = Array::from_elem(IxDyn(&[n, 2]), 0.5);
            let x = Array::from_elem(IxDyn(&[3, n, 2]), 1.);
            let outputs = session.run(&[("start", &start), ("x", &x)]).unwrap();
            assert_eq!(outputs[0].1, Array::from_elem(IxDyn(&[n, 2]), 3.5), "{}", engine.name());
            let y = Array::from_shape_fn(IxDyn(&[3, n, 2]), |at| at[0] as f32 + 1.5);
            assert_eq!(outputs[1].1, y, "{}", engine.name());
        }
    }
}

#[test]
fn inputs_that_do_not_fit_are_told_apart() {
    for engine in engines() {
        let mut session = load(&*engine, &models::add(&["batch", "2"]));
        let x = array(&[1, 2], &[1., 2.]);
        let wide = array(&[1, 3], &[1., 2., 3.]);
        let flat = array(&[2], &[1., 2.]);
        let two = array(&[2, 2], &[0.; 4]);

        let missing = input_error(session.run(&[("x", &x)]));
        assert_eq!(missing.to_string(), "input y[batch, 2] is missing");
        let unknown = input_error(session.run(&[("x", &x), ("y", &x), ("z", &x)]));
        assert_eq!(unknown.to_string(), "unknown input `z`; the inputs are x, y");
        let twice = input_error(session.run(&[("x", &x), ("y", &x), ("x", &x)]));
        assert_eq!(twice.to_string(), "input `x` is given twice");
        let shape = input_error(session.run(&[("x", &x), ("y", &wide)]));
        assert_eq!(shape.to_string(), "input `y` has shape [1, 3], expected [batch, 2]");
        let rank = input_error(session.run(&[("x", &flat), ("y", &x)]));
        assert!(matches!(rank, InputError::Shape { input, .. } if input == "x"));
        let symbol = input_error(session.run(&[("x", &x), ("y", &two)]));
        assert_eq!(
            symbol.to_string(),
            "input `y` has batch = 2, but an earlier input has batch = 1"
        );
        // The session still works after these errors.
        session.run(&[("x", &x), ("y", &x)]).unwrap();
    }
}

#[test]
fn what_is_no_model_is_an_error() {
    let model = models::running_sum();
    let unknown = models::unary("Frobnicate", FLOAT);
    let cases: [(&str, &[u8]); 4] = [
        ("nothing", b""),
        ("garbage", b"\xff\xfe this is no model \x00\x01"),
        ("half a model", &model[..model.len() / 2]),
        ("an unknown operator", &unknown),
    ];
    for engine in engines() {
        for (what, onnx) in cases {
            match engine.load(&Program { name: "bad", onnx, graph: None }) {
                Err(EngineError::Load { program, reason, .. }) => {
                    assert_eq!(program, "bad");
                    assert!(!reason.is_empty(), "{what}");
                }
                Err(other) => panic!("{}: {what}: {other:?}", engine.name()),
                Ok(_) => panic!("{} took {what}", engine.name()),
            }
        }
    }
}

#[test]
fn damaged_models_give_errors_at_worst() {
    let model = models::running_sum();
    let start = Array::zeros(IxDyn(&[1, 2]));
    let x = Array::zeros(IxDyn(&[3, 1, 2]));
    for engine in engines() {
        for at in 0..model.len() {
            let mut damaged = model.clone();
            damaged[at] ^= 1 << (at % 8);
            // Some damage is harmless. The test is that the call returns.
            if let Ok(mut session) =
                engine.load(&Program { name: "damaged", onnx: &damaged, graph: None })
            {
                let _ = session.run(&[("start", &start), ("x", &x)]);
            }
        }
    }
}

#[test]
fn other_elements_than_f32_are_refused() {
    for engine in engines() {
        // Inputs may have whole numbers, such as labels. Outputs may not.
        for (kind, place) in [(INT32, "x"), (INT64, "y")] {
            let onnx = models::unary("Abs", kind);
            match engine.load(&Program { name: "test", onnx: &onnx, graph: None }) {
                Err(EngineError::Elements { value, .. }) => assert_eq!(value, place),
                Err(other) => panic!("{other:?}"),
                Ok(_) => panic!("{} took it", engine.name()),
            }
        }
    }
}

#[test]
fn options_of_ort_change_nothing_but_speed() {
    let x = array(&[2, 2], &[1., 2., 3., 4.]);
    for optimization in
        [Optimization::None, Optimization::Basic, Optimization::Extended, Optimization::All]
    {
        let engine =
            ort(OrtOptions { intra_threads: Some(1), optimization, ..OrtOptions::default() });
        let mut session = load(&engine, &models::add(&["2", "2"]));
        let outputs = session.run(&[("x", &x), ("y", &x)]).unwrap();
        assert_eq!(outputs[0].1, &x * 2.);
    }
}

#[test]
fn a_process_keeps_its_library() {
    let engine = ort(OrtOptions::default());
    let path = engine.library().path.clone();
    for same in [path.clone(), path.parent().unwrap().to_owned()] {
        let mut options = OrtOptions::default();
        options.library.explicit = Some(same);
        assert_eq!(ort(options).library().path, path);
    }
    let mut options = OrtOptions::default();
    options.library.explicit = Some("/another/libonnxruntime.so".into());
    match OrtEngine::cpu(options) {
        Err(EngineError::Library(LibraryError::AlreadyLoaded { loaded, .. })) => {
            assert_eq!(loaded, path);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn telemetry_is_off() {
    ort(OrtOptions::default());
    assert!(std::env::var_os("ORT_DISABLE_TELEMETRY").is_some());
}

#[test]
fn engines_open_by_name_in_the_order_asked_for() {
    ort(OrtOptions::default());
    let engines = open(&[EngineKind::Ort, EngineKind::Tract], &Options::default()).unwrap();
    assert_eq!(engines.iter().map(|e| e.name()).collect::<Vec<_>>(), ["ort", "tract"]);
    let error = "tensorflow".parse::<EngineKind>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown engine `tensorflow`: expected one of reference, tract, ort, ort-cuda"
    );
}

#[test]
fn a_survey_says_why_an_engine_does_not_work() {
    ort(OrtOptions::default());
    let statuses = survey(&Options::default());
    let names: Vec<_> = statuses.iter().map(|s| s.engine).collect();
    assert_eq!(names, EngineKind::ALL);
    assert!(statuses[0].state.is_ok() && statuses[1].state.is_ok());
    let Ok(State::Works(ort) | State::Found(ort)) = &statuses[2].state else { panic!("no ort") };
    assert!(ort.starts_with("ONNX Runtime 1."), "{ort}");
    if let Err(error) = &statuses[3].state {
        assert!(error.to_string().contains("CUDA"), "{error}");
    }
}
