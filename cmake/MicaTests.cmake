# Every tests/c/test_*.c is a program of its own; examples in C are built, and run, as tests too.
enable_testing()
set(MICA_TEST_TIMEOUT 300 CACHE STRING "Seconds that one C test may take")

add_custom_target(mica_tests ALL)
file(GLOB test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/c/test_*.c)
foreach(source IN LISTS test_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${name} PRIVATE mica_static)
    add_dependencies(mica_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
endforeach()

# Examples see the public headers only.
file(GLOB example_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/c/*.c)
foreach(source IN LISTS example_sources)
    get_filename_component(example ${source} NAME_WE)
    set(name example_${example})
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    if(MICA_BUILD_SHARED AND NOT MICA_SANITIZE)
        target_link_libraries(${name} PRIVATE mica m)
    else()
        target_link_libraries(${name} PRIVATE mica_static)
    endif()
    add_dependencies(mica_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
endforeach()

get_property(tests DIRECTORY PROPERTY TESTS)
foreach(name IN LISTS tests)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${MICA_TEST_TIMEOUT})
endforeach()

find_package(Python 3.11 COMPONENTS Interpreter)
if(Python_Interpreter_FOUND)
    add_test(NAME tables_are_current COMMAND ${Python_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/gen.py --check)
    add_test(NAME layers COMMAND ${Python_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
endif()

# LAPACK of the Python package, where the build's Python has it.
get_filename_component(python_home "${Python_EXECUTABLE}" DIRECTORY)
file(GLOB lapack "${python_home}/../lib/python3*/site-packages/scipy_openblas32/lib/libscipy_openblas.so")
if(lapack)
    list(GET lapack 0 lapack)
    set_tests_properties(test_linalg PROPERTIES ENVIRONMENT "MICA_LAPACK=${lapack}")
endif()

# Its threads take turns by yielding: beside another busy program they wait for each other.
set_tests_properties(test_streams PROPERTIES RUN_SERIAL ON)

# Counts instructions a node: bench/instructions.py.
add_executable(bench_nodes EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/bench/c/nodes.c)
target_link_libraries(bench_nodes PRIVATE mica_static)
