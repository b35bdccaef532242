#pragma once
// Where the tests find what they are judged by.

#include <filesystem>

namespace tpf::test {

/// The project's own folder, for tests that hold its documents against the code.
[[nodiscard]] std::filesystem::path source_folder();

/// Test data from outside, which is not part of the project and may be absent.
[[nodiscard]] std::filesystem::path vectors();

}  // namespace tpf::test
