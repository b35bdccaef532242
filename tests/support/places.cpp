#include "tests/support/places.h"

namespace tpf::test {

std::filesystem::path source_folder() {
    return TPF_SOURCE_DIR;
}

std::filesystem::path vectors() {
    return TPF_VECTORS;
}

}  // namespace tpf::test
