//! The table of operators is complete, sorted, and the same as in the documentation.

use pixelrnn_check::{CheckError, Exactness, Options, TABLE, check_bytes};

use super::build::Net;

/// The operators of the standard domain up to opset 28.
const STANDARD: &str = "Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh \
    Attention AveragePool BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot \
    BitwiseOr BitwiseXor BlackmanWindow Cast CastLike CausalConvWithState Ceil Celu CenterCropPad \
    Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger \
    ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div \
    Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather \
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater \
    GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish \
    Hardmax Identity If ImageDecoder InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization \
    LeakyRelu Less LessOrEqual LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul \
    MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix \
    Min Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot \
    Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul \
    QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform \
    RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax \
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize \
    ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu \
    SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength \
    SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss \
    Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat \
    StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter TfIdfVectorizer \
    ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor";

/// Operators that no image model has between an image and its logits, or whose output shapes depend
/// on values.
const REFUSED: &str = "ImageDecoder NonMaxSuppression RegexFullMatch STFT StringConcat \
    StringNormalizer StringSplit TfIdfVectorizer Unique";

#[test]
fn every_standard_operator_is_modeled_or_refused_by_name() {
    let refused: Vec<&str> = REFUSED.split_whitespace().collect();
    for name in STANDARD.split_whitespace() {
        let known = TABLE.iter().any(|row| row.name == name);
        assert_ne!(known, refused.contains(&name), "{name}");
    }
    let mut names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    let standard: Vec<&str> = STANDARD.split_whitespace().collect();
    assert!(names.iter().all(|n| standard.contains(n)));
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// An operator that is not in the table is rejected with advice. One that is in the table may fail
/// only by its own rules.
#[test]
fn what_is_in_the_table_is_what_runs() {
    for name in STANDARD.split_whitespace() {
        let mut net = Net::image(1, 2, 2);
        let y = net.node(name, &["x"], &[]);
        let result = check_bytes(&net.bytes(&y), &Options::default());
        let refused = matches!(result, Err(CheckError::Unsupported { .. }));
        assert_eq!(refused, REFUSED.split_whitespace().any(|r| r == name), "{name}");
        if let Err(CheckError::Unsupported { nodes }) = result {
            assert!(!nodes[0].advice.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OPERATORS.md");
    let text = std::fs::read_to_string(path).expect("OPERATORS.md");
    let (head, _) = text.split_once("|---|---|---|---|\n").expect("a table");
    let mut wanted = format!("{head}|---|---|---|---|\n");
    for row in TABLE {
        let outputs = match row.outputs {
            0 => "as the node says".to_string(),
            n => n.to_string(),
        };
        let exactness = match row.exactness {
            Exactness::Exact => "exact",
            Exactness::Opaque => "opaque",
        };
        wanted += &format!("| {} | {exactness} | {outputs} | {} |\n", row.name, row.notes);
    }
    if std::env::var_os("PIXELRNN_CHECK_WRITE_TABLE").is_some() {
        std::fs::write(path, &wanted).expect("written");
        return;
    }
    assert_eq!(text, wanted, "run this test with PIXELRNN_CHECK_WRITE_TABLE=1");
}
