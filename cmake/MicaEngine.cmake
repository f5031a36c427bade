# mica_objects: the engine, compiled once and linked into libmica.a, libmica.so and the Python extension.
file(GLOB_RECURSE engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/*.c)
list(FILTER engine_sources EXCLUDE REGEX "/engine/backend/cuda/")
set(cpu ${PROJECT_SOURCE_DIR}/engine/backend/cpu)

# Sources compiled once for each instruction set: they define names that end in MICA_ISA_NAME.
file(GLOB isa_sources CONFIGURE_DEPENDS ${cpu}/loops.c ${cpu}/cast.c ${cpu}/*_isa.c)
list(APPEND isa_sources ${MICA_PER_ISA_SOURCES})
if(isa_sources)
    list(REMOVE_DUPLICATES isa_sources)
    list(REMOVE_ITEM engine_sources ${isa_sources})
endif()

add_library(mica_objects OBJECT ${engine_sources})
target_link_libraries(mica_objects PRIVATE mica_flags)

# A file that ends in _<instruction set>.c is compiled for that set alone, or left out where the compiler does not know it.
set(wanted "")
foreach(isa IN LISTS MICA_ISAS MICA_OVERLAYS)
    string(TOUPPER ${isa} upper)
    list(APPEND wanted MICA_WITH_${upper}=1)
endforeach()
target_compile_definitions(mica_objects PRIVATE ${wanted})
foreach(source IN LISTS engine_sources)
    if(source MATCHES "/backend/cpu/.*_(portable|v3|v4|bf16|amx)\\.c$")
        set(isa ${CMAKE_MATCH_1})
        if(isa IN_LIST MICA_ISAS OR isa IN_LIST MICA_OVERLAYS)
            set_source_files_properties(${source} PROPERTIES
                COMPILE_OPTIONS "${MICA_FLAGS_${isa}};-O3"
                COMPILE_DEFINITIONS "MICA_ISA_NAME=${isa}")
        else()
            set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY ON)
        endif()
    endif()
endforeach()

set(MICA_OBJECTS $<TARGET_OBJECTS:mica_objects>)
if(isa_sources)
    foreach(isa IN LISTS MICA_ISAS)
        add_library(mica_${isa} OBJECT ${isa_sources})
        target_link_libraries(mica_${isa} PRIVATE mica_flags)
        target_compile_options(mica_${isa} PRIVATE ${MICA_FLAGS_${isa}} ${MICA_LOOP_FLAGS_${isa}} -O3)
        target_compile_definitions(mica_${isa} PRIVATE MICA_ISA_NAME=${isa} ${wanted})
        list(APPEND MICA_OBJECTS $<TARGET_OBJECTS:mica_${isa}>)
    endforeach()
endif()

# clang 14 does not finish these unrolled lanes with sanitizers in ten minutes.
if(MICA_SANITIZE AND CMAKE_C_COMPILER_ID MATCHES "Clang")
    set_source_files_properties(${cpu}/quantized_lanes_isa.c PROPERTIES
        COMPILE_OPTIONS "-fno-sanitize=all;-fsanitize-coverage=0;-O1")
endif()

# With the engine's internal names visible: for the C tests.
add_library(mica_static STATIC EXCLUDE_FROM_ALL ${MICA_OBJECTS})
target_link_libraries(mica_static PUBLIC mica_flags)
