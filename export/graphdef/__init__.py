"""What is read from, and changed in, TensorFlow's graph of a signature before tf2onnx converts it."""
