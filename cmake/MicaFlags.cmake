# mica_flags: what every C file is compiled with. MICA_ISAS, mica_isa_flags(): the instruction sets.
include(CheckCCompilerFlag)

add_library(mica_flags INTERFACE)
target_include_directories(mica_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/engine)
# The same bits on every path: no contraction. errno and floating-point traps are not used, which lets loops vectorise.
target_compile_options(mica_flags INTERFACE
    -Wall -Wextra -Wpedantic -fno-math-errno -fno-trapping-math -ffp-contract=off)
if(MICA_WERROR)
    target_compile_options(mica_flags INTERFACE -Werror)
endif()
check_c_compiler_flag(-fno-semantic-interposition MICA_CC_NO_INTERPOSITION)
if(MICA_CC_NO_INTERPOSITION)
    target_compile_options(mica_flags INTERFACE -fno-semantic-interposition)
endif()
if(NOT MICA_WITH_DOCTOR)
    target_compile_definitions(mica_flags INTERFACE MICA_WITHOUT_DOCTOR=1)
endif()
if(MICA_SANITIZE)
    target_compile_options(mica_flags INTERFACE
        -fsanitize=${MICA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_link_options(mica_flags INTERFACE -fsanitize=${MICA_SANITIZE})
endif()
target_link_libraries(mica_flags INTERFACE Threads::Threads m ${CMAKE_DL_LIBS})

# One name of mica's for each instruction set that this compiler can build for; the run time picks among them.
set(MICA_ISAS portable)
set(MICA_FLAGS_portable "")
set(MICA_FLAGS_v3 -march=x86-64-v3)
set(MICA_FLAGS_v4 -march=x86-64-v4)
set(MICA_FLAGS_bf16 ${MICA_FLAGS_v4} -mavx512bf16)
set(MICA_FLAGS_amx ${MICA_FLAGS_v4} -mamx-tile -mamx-bf16 -mamx-int8)
set(MICA_OVERLAYS "") # sets that only some kernels have
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    foreach(isa v3 v4 bf16 amx)
        string(REPLACE ";" " " flags "${MICA_FLAGS_${isa}}")
        check_c_compiler_flag("${flags}" MICA_CC_${isa})
        if(NOT MICA_CC_${isa})
            continue()
        endif()
        if(isa MATCHES "^v")
            list(APPEND MICA_ISAS ${isa})
        else()
            list(APPEND MICA_OVERLAYS ${isa})
        endif()
    endforeach()
endif()
# The compiler would otherwise prefer 256-bit vectors where 512 are at hand.
set(MICA_LOOP_FLAGS_v4 -mprefer-vector-width=512)
