#pragma once
// The operator's log: one line per event on standard error. Where systemd connected that to its journal, the event goes
// there directly, with the same line as its MESSAGE and each value in a field of its own: TPF_MESSAGE, TPF_REGISTER,
// TPF_CODE, TPF_STAGE and so on; of a sender also TPF_KOMMUNE. `journalctl TPF_MESSAGE=…` is one message's way.
// Texts are constant; what varies goes into fields with a name. Never content of a message: there is no field for it,
// and identity numbers and keys have no conversion to string.
//
// Levels: error = act now; warning = look; info = one line per stage of a message; debug = for developers.

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace tpf::log {

enum class Level { debug, info, warning, error };

/// A named value. Names in use: message (spool id), sender, register, code, stage, source, operator, key, persons,
/// bytes, seconds, path, settings, error, hint. A name is of a-z and _.
struct Field {
    Field(std::string_view name_, std::string_view value_) : name(name_), value(value_) {}
    Field(std::string_view name_, const char* value_) : name(name_), value(value_) {}
    Field(std::string_view name_, const std::string& value_) : name(name_), value(value_) {}
    Field(std::string_view name_, const SpoolId& id) : name(name_), value(id.view()) {}
    Field(std::string_view name_, std::uint64_t value_) : name(name_), value(std::to_string(value_)) {}
    std::string name;
    std::string value;
};

/// Called once by each main, before any thread. `program` stands in each line.
void init(std::string_view program, Level least);
/// From then on each line says so: "TEST INSTALLATION".
void set_installation(Installation installation);
/// Another least level from now on.
void set_level(Level least);
[[nodiscard]] Result<Level> parse_level(std::string_view text);

/// Thread-safe.
void write(Level level, std::string_view text, std::initializer_list<Field> fields = {});
inline void debug(std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::debug, text, fields);
}
inline void info(std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::info, text, fields);
}
inline void warning(std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::warning, text, fields);
}
inline void error(std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::error, text, fields);
}

}  // namespace tpf::log
