# core.abi3.so: the engine and the bindings in one file, for the stable ABI of Python 3.11 and later.
find_package(Python 3.11 COMPONENTS Interpreter Development.Module)
if(NOT Python_Development.Module_FOUND)
    message(FATAL_ERROR "Python 3.11 or later with its headers (Python.h) is needed; "
        "on Debian and Ubuntu: apt install python3-dev")
endif()

file(GLOB python_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/src/*.c)
Python_add_library(mica_core MODULE ${python_sources} ${MICA_OBJECTS})
target_link_libraries(mica_core PRIVATE mica_flags)
target_include_directories(mica_core PRIVATE ${PROJECT_SOURCE_DIR}/python/src)
target_compile_definitions(mica_core PRIVATE Py_LIMITED_API=0x030B0000)
# Python's type slots hold functions as data pointers, which ISO C does not know.
set_source_files_properties(${python_sources} PROPERTIES COMPILE_OPTIONS -Wno-pedantic)
# Calls inside the extension never go to another copy of libmica in the process.
target_link_options(mica_core PRIVATE -Wl,-Bsymbolic)
set_target_properties(mica_core PROPERTIES OUTPUT_NAME core PREFIX "" SUFFIX ".abi3.so")
if(MICA_PYTHON_OUTPUT)
    set_target_properties(mica_core PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${MICA_PYTHON_OUTPUT})
endif()
install(TARGETS mica_core LIBRARY DESTINATION mica COMPONENT python)
