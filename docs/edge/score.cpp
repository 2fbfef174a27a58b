// Score rows with a model file in C++, through ONNX Runtime's C API and the thin classes that come with it:
//
//     g++ -std=c++17 -O2 -I HEADERS score.cpp -o score -L LIBRARY -lonnxruntime
//     ./score MODEL.onnx ROWS.json > answers.json

#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <onnxruntime_cxx_api.h>

using nlohmann::json;

// Write lists in lists, one value after another; returns the place behind the last one.
template <typename T>
static T* fill(const json& values, T* place) {
  if (!values.is_array()) return *place = values.get<T>(), place + 1;
  for (const json& part : values) place = fill(part, place);
  return place;
}

// A tensor of one column, of pictures, of encoded rows, or of alpha. It owns its memory, so the rows may go.
static Ort::Value tensor(const json& values, ONNXTensorElementDataType type) {
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<int64_t> shape;
  for (const json* part = &values; part->is_array(); part = &part->at(0)) {
    shape.push_back(int64_t(part->size()));
    if (part->empty()) break;
  }
  Ort::Value result = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), type);
  if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING) {
    for (size_t i = 0; i < values.size(); i++) result.FillStringTensorElement(values[i].get<std::string>().c_str(), i);
  } else if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    fill(values, result.GetTensorMutableData<float>());
  } else if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8) {
    fill(values, result.GetTensorMutableData<uint8_t>());
  } else {
    const double missing = std::numeric_limits<double>::quiet_NaN();
    double* data = result.GetTensorMutableData<double>();
    for (const json& value : values) *data++ = value.is_null() ? missing : value.get<double>();
  }
  return result;
}

template <typename T>
static std::vector<T> list(const Ort::Value& answer) {
  const T* data = answer.GetTensorData<T>();
  return std::vector<T>(data, data + answer.GetTensorTypeAndShapeInfo().GetElementCount());
}

static json values(const Ort::Value& answer) {
  const auto info = answer.GetTensorTypeAndShapeInfo();
  switch (info.GetElementType()) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return list<float>(answer);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE: return list<double>(answer);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return list<bool>(answer);
    default: break;
  }
  json texts = json::array();
  for (size_t i = 0; i < info.GetElementCount(); i++) texts.push_back(answer.GetStringTensorElement(i));
  return texts;
}

static void score(const char* model, const char* rows_file) {
  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "gandetect");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  Ort::Session session(env, model, options);
  Ort::AllocatorWithDefaultOptions allocator;

  const json rows = json::parse(std::ifstream(rows_file));
  std::vector<Ort::AllocatedStringPtr> names, answer_names;
  std::vector<Ort::Value> inputs;
  for (size_t i = 0; i < session.GetInputCount(); i++) {
    names.push_back(session.GetInputNameAllocated(i, allocator));
    const auto type = session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetElementType();
    inputs.push_back(tensor(rows.at(names.back().get()), type));
  }
  if (rows.contains("alpha")) {  // it has a default, and so the runtime does not list it among the inputs
    names.push_back(session.GetOverridableInitializerNameAllocated(0, allocator));
    inputs.push_back(tensor(rows["alpha"], ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT));
  }
  for (size_t i = 0; i < session.GetOutputCount(); i++) answer_names.push_back(session.GetOutputNameAllocated(i, allocator));
  std::vector<const char*> input_names, output_names;
  for (const auto& name : names) input_names.push_back(name.get());
  for (const auto& name : answer_names) output_names.push_back(name.get());
  const auto answers = session.Run(Ort::RunOptions{}, input_names.data(), inputs.data(), inputs.size(),
                                   output_names.data(), output_names.size());
  json result;
  for (size_t i = 0; i < answers.size(); i++) result[output_names[i]] = values(answers[i]);
  std::cout << result << std::endl;
}

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: score MODEL.onnx ROWS.json\n", 2;
  try {
    score(argv[1], argv[2]);
  } catch (const std::exception& error) {
    return std::cerr << error.what() << "\n", 1;
  }
}
