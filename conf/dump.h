#pragma once
// A Config as canonical JSON, by the settings table: what digest, differences, dump and the pinned settings stand on.

#include <functional>

#include "conf/settings.h"

namespace tpf::conf {

/// Sections as in the file: {"limits":{"depth":32,…},"register":{"IPLOS":{…}},…}. Only settings for which `wanted` is
/// true. Optional settings without a value are left out.
[[nodiscard]] nlohmann::json to_json(const Config& config, const std::function<bool(const Facts&)>& wanted);

}  // namespace tpf::conf
