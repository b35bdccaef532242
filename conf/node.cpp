#include "conf/node.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>

namespace tpf::conf {
namespace {

bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

Position position(const toml::source_region& region) {
    return {static_cast<unsigned>(region.begin.line), static_cast<unsigned>(region.begin.column)};
}

Node convert(const toml::node& from);

void convert_list(const toml::array& from, Node& to) {
    to.type = Node::Type::list;
    for (const toml::node& item : from) to.items.push_back(convert(item));
}

void convert_section(const toml::table& from, Node& to) {
    to.type = Node::Type::section;
    for (const auto& [key, value] : from) {
        to.members.push_back({std::string(key.str()), position(key.source()), convert(value)});
    }
}

Node convert(const toml::node& from) {
    Node to;
    to.at = position(from.source());
    if (const auto* table = from.as_table()) {
        convert_section(*table, to);
    } else if (const auto* list = from.as_array()) {
        convert_list(*list, to);
    } else if (const auto* text = from.as_string()) {
        to.type = Node::Type::text;
        to.text = text->get();
    } else if (const auto* number = from.as_integer()) {
        to.type = Node::Type::whole_number;
        to.number = number->get();
    } else if (const auto* truth = from.as_boolean()) {
        to.type = Node::Type::boolean;
        to.number = truth->get() ? 1 : 0;
    } else {
        to.type = from.is_floating_point() ? Node::Type::fraction : Node::Type::time;
    }
    return to;
}

Problems not_toml(std::string_view file, Position at, std::string_view why) {
    Problem problem;
    problem.file = file;
    problem.at = at;
    problem.what = "not TOML: " + std::string(why);
    std::replace_if(problem.what.begin(), problem.what.end(), is_control, ' ');
    problem.right = "correct this place first; what stands after it was not looked at";
    return {std::move(problem)};
}

}  // namespace

std::string_view Node::type_name() const noexcept {
    switch (type) {
        case Type::text:
            return "a text";
        case Type::whole_number:
            return "a whole number";
        case Type::fraction:
            return "a number with a fraction";
        case Type::boolean:
            return "true or false";
        case Type::time:
            return "a date or time";
        case Type::list:
            return "a list";
        case Type::section:
            return "a section";
    }
    return "";
}

const Node* Node::find(std::string_view name) const noexcept {
    const auto it = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
    return it == members.end() ? nullptr : &it->value;
}

Checked<Node> read_toml(std::string_view text, std::string_view file) {
    try {
        return convert(toml::parse(text, file));
    } catch (const toml::parse_error& error) {
        return boost::outcome_v2::failure(not_toml(file, position(error.source()), error.description()));
    } catch (const std::exception& error) {
        return boost::outcome_v2::failure(not_toml(file, {}, error.what()));
    }
}

Node from_json(const nlohmann::json& json, unsigned depth) {
    Node to;
    if (json.is_object() && depth > 0) {
        for (const auto& [name, value] : json.items()) to.members.push_back({name, {}, from_json(value, depth - 1)});
    } else if (json.is_array() && depth > 0) {
        to.type = Node::Type::list;
        for (const auto& item : json) to.items.push_back(from_json(item, depth - 1));
    } else if (json.is_string()) {
        to.type = Node::Type::text;
        to.text = json.get<std::string>();
    } else if (json.is_number_integer()) {
        to.type = Node::Type::whole_number;
        to.number = json.get<std::int64_t>();
    } else if (json.is_boolean()) {
        to.type = Node::Type::boolean;
        to.number = json.get<bool>() ? 1 : 0;
    } else {
        to.type = Node::Type::fraction;
    }
    return to;
}

std::string toml_literal(const nlohmann::json& value) {
    if (!value.is_array()) return value.dump();  // JSON's texts, whole numbers and truths are TOML's
    std::string out = "[";
    for (const auto& item : value) out += (out.size() > 1 ? ", " : "") + toml_literal(item);
    return out + "]";
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t kMost = 80;
    const bool cut = text.size() > kMost;
    std::string out =
        nlohmann::json(text.substr(0, kMost)).dump(-1, ' ', true, nlohmann::json::error_handler_t::ignore);
    std::replace_if(out.begin(), out.end(), is_control, ' ');  // JSON leaves DEL as it is
    if (cut) out.insert(out.size() - 1, "…");
    return out;
}

}  // namespace tpf::conf
