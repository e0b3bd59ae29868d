//! Random declarations in the whole language: conditions, scales, blocks with several results, several
//! carried maps, biases, products. Each goes through every pass, the comparison of gradients with finite
//! differences, both samplers and, for some, every engine.

use pixelrnn::sampling::{SampleMethod, Sampling};
use pixelrnn::{Array, Declaration, Source};

use crate::common::{Numbers, engines, weights};
use crate::{gradients, models, streaming};

/// The features of a random declaration.
struct Shape {
    colours: usize,
    label: bool,
    /// The number of features of a map condition; 0 if there is none.
    map: usize,
    small: bool,
}

fn pick<'a>(numbers: &mut Numbers, words: &[&'a str]) -> &'a str {
    words[numbers.below(words.len())]
}

/// The definition of a random block with two stacks.
fn block(numbers: &mut Numbers, shape: &Shape, features: usize) -> String {
    let wide = 2 * features;
    let mut given = String::new();
    for (name, there) in [("label", shape.label), ("edges", shape.map > 0)] {
        if there {
            given += &format!("by_{name} = {name}.conv(1 x 1, {wide}, bias = none);\n");
            given += &format!("up = up + by_{name};\n");
        }
    }
    let link = pick(numbers, &["up.conv(1 x 1, W)", "up", "up.tanh()"]);
    let link = link.replace('W', &wide.to_string());
    let out = pick(
        numbers,
        &[
            "along.gate().masked_conv(1 x 1, B, F)",
            "(along * link).gate().masked_conv(1 x 1, B, F)",
            "along.gate().sigmoid().masked_conv(1 x 1, B, F) - also",
        ],
    );
    let out = out.replace('F', &features.to_string());
    let also = if out.contains("also") {
        format!("also: along.gate().masked_conv(1 x 1, B, {features});\n")
    } else {
        String::new()
    };
    format!(
        "block stacks(v, x, k, mask) {{\n\
         up = v.above(k x k, mask, {wide});\n{given}\
         link = {link};\n\
         along = x.masked_conv(1 x k, mask, {wide}, gates = 2) + link;\n{also}\
         out: {out};\n(up.gate(), out)\n}}\n"
    )
}

/// A random layer, possibly with a condition as its bias.
fn layer(numbers: &mut Numbers, shape: &Shape, i: usize) -> String {
    let h = 1 + numbers.below(3);
    let known = match (numbers.below(4), shape.label, shape.small, shape.map > 0) {
        (0, true, ..) => Some("label"),
        (1, _, true, _) => Some("known"),
        (2, .., true) => Some("edges"),
        _ => None,
    };
    let bias = known.map_or(String::new(), |known| {
        format!(", bias = {known}.conv(1 x 1, {}, bias = none)", 4 * h)
    });
    match numbers.below(4) {
        0 => format!("l{i}: row_lstm({h}{bias});\n"),
        1 => format!("l{i}: diagonal_bilstm({h}, initial = learned{bias});\n"),
        2 => format!("l{i}: masked_conv(3 x 3, B, {});\n", 2 * h),
        _ => format!("l{i}: masked_conv(1 x 1, B, {}); relu;\n", 2 * h),
    }
}

/// The text of a random declaration.
fn random(numbers: &mut Numbers) -> String {
    let shape = Shape {
        colours: [1, 1, 2, 3][numbers.below(4)],
        label: numbers.below(2) == 0,
        map: [0, 0, 1, 2][numbers.below(4)],
        small: numbers.below(3) == 0,
    };
    let side = |numbers: &mut Numbers| {
        if shape.small { 2 + 2 * numbers.below(2) } else { 2 + numbers.below(3) }
    };
    let (height, width) = (side(numbers), side(numbers));
    let levels = 2 + numbers.below(4);
    let mut text = format!(
        "pub Random {{ }}\nimage {height} x {width}, colors {}, levels {levels};\n",
        shape.colours
    );
    if shape.label {
        text += &format!("condition label: classes {};\n", 2 + numbers.below(3));
    }
    if shape.map > 0 {
        text += &format!("condition edges: map {};\n", shape.map);
    }
    let features = 1 + numbers.below(3);
    text += &block(numbers, &shape, features);
    if shape.small {
        let alone = Shape { small: false, map: 0, ..shape };
        text += "scale small: every 2 {\nstem: masked_conv(3 x 3, A, 2);\n";
        text += &layer(numbers, &alone, 9);
        text += "logits;\n}\nknown: small.deconv(2 x 2, 2).relu();\n";
    }
    text += &format!("first: (v, x) = stacks(image, image, {}, A);\n", pick(numbers, &["3", "5"]));
    let next = pick(numbers, &["(v, x + y)", "(v, y)", "(v, x * y)"]);
    text += &format!(
        "body: repeat {} with (v, x) {{\n(v, y) = stacks(v, x, 3, B);\n{next}\n}}\n",
        1 + numbers.below(2)
    );
    text += &match shape.small {
        true => format!("both = x + known.conv(1 x 1, {features});\nboth.relu();\n"),
        false => "x.relu();\n".to_string(),
    };
    for i in 0..numbers.below(3) {
        text += &layer(numbers, &shape, i);
    }
    match numbers.below(3) {
        0 => text + &format!("logistic_mixture({});\n", 1 + numbers.below(3)),
        _ => text + "logits;\n",
    }
}

/// Asserts that both samplers draw the same images from the same random numbers.
fn samplers_agree(model: &Declaration, numbers: &mut Numbers) {
    let weights = weights(model, 4);
    let uniform = pixelrnn::sampling::uniform(model, 3, 11);
    let classes = model.label().map(|(_, classes)| classes);
    let labels: Option<Vec<u32>> =
        classes.map(|classes| (0..3).map(|_| numbers.below(classes) as u32).collect());
    let size = [model.image().height, model.image().width];
    let maps = model.conditions().iter().filter(|(_, kind)| kind.name() == "map");
    let maps: Vec<(String, Array)> = maps
        .map(|(name, kind)| (name.clone(), numbers.condition(*kind, kind.ty(size).extents(3))))
        .collect();
    let drawn = [SampleMethod::Cached, SampleMethod::Naive].map(|method| {
        let labels = labels.as_deref();
        let request = Sampling {
            method,
            temperature: 1.0,
            uniform: &uniform,
            given: None,
            labels,
            conditions: &maps,
        };
        let engine = &*engines()[2];
        let drawn = pixelrnn::sampling::draw(model, &weights, engine, &request, &mut |_| {});
        drawn.unwrap_or_else(|e| panic!("{e}"))
    });
    assert_eq!(drawn[0], drawn[1]);
}

#[test]
fn random_declarations_of_the_whole_language() {
    let mut numbers = Numbers::new(2024);
    let mut seen = [0; 5];
    for i in 0..60 {
        let text = random(&mut numbers);
        println!("{i}\n{text}");
        let model = Declaration::from_source(Source::new("random", text.clone()), &[])
            .unwrap_or_else(|e| panic!("{text}\n{e}"));
        seen[0] += usize::from(model.label().is_some());
        seen[1] += usize::from(model.scales().len() > 1);
        seen[2] += usize::from(model.image().colours > 1);
        seen[3] += usize::from(text.contains("logistic_mixture"));
        seen[4] += usize::from(text.contains("condition edges"));
        streaming::replays(&model, &[]);
        gradients::check_model(&model);
        if i % 4 == 0 {
            samplers_agree(&model, &mut numbers);
            models::check(&model, &models::KINDS, &models::FORMS[..1]);
        }
    }
    // Every feature must have been generated several times.
    assert!(seen.iter().all(|&n| n >= 10), "{seen:?}");
}
